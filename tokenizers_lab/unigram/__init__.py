"""Unigram language model of pieces (Kudo 2018, arXiv:1804.10959): seeds, EM and pruning, Viterbi segmentation."""
