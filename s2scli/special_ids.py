"""The ids of the special tokens, which are the same in every tokenizer and model."""

PAD_ID = 0
UNK_ID = 1
BOS_ID = 2
EOS_ID = 3
