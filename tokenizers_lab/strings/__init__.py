"""String structures that trainers and encoders share: code points, trie, user-defined symbols."""
