"""A network of two small layers that knows nothing, saved as Hugging Face saves its models."""

from __future__ import annotations

from pathlib import Path

import pytest

from labelnoise.text.embedded import news


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = sorted({letter for word in news().tokens for letter in word})
    ends = sorted({word[i:] for word in news().tokens for i in (len(word) - 2,) if i > 0})
    words = sorted(set(news().tokens[:3000]))
    vocabulary = list(dict.fromkeys([*pieces, *words, *letters, *("##" + x for x in [*letters, *ends])]))
    tokenizer = Tokenizer(models.WordPiece({x: i for i, x in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), pieces, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)
    return folder
