"""DSIR importance resampling (Xie et al. 2023, arXiv:2302.03169)."""
