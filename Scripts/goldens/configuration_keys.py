#!/usr/bin/env python3
"""Every key that the reference's own classes know of the settings files of a model, by family and file.

usage: configuration_keys.py [OUT]        (default: Tests/ModelsTests/Goldens/configuration_keys.json of this checkout)
needs: pip install 'transformers==5.24.0' 'sentence-transformers==6.2.0' sentencepiece

A configuration has the keys that it writes; a tokenizer those of its initializers' parameters, of its special tokens, and those that its
base classes take from what is left; a module of sentence-transformers those that it writes, that its initializer takes, and their older names.
"""
import inspect, json, os, re, sys
sys.path.pop(0)  # tokenizers.py beside this file would hide the package of that name
from transformers import (BertConfig, BertTokenizer, BitNetConfig, DistilBertConfig, ElectraConfig, Gemma2Config, Gemma3TextConfig, GemmaTokenizer, GenerationConfig, LlamaConfig, LlamaTokenizer, M2M100Config, M2M100Tokenizer,
                          MarianConfig, MarianTokenizer, MBart50Tokenizer, MBartConfig, MistralConfig, NllbTokenizer, PreTrainedTokenizerFast, Qwen2Config,
                          Qwen2Tokenizer, Qwen3Config, RobertaConfig, RobertaTokenizer, SmolLM3Config, T5Config, T5Tokenizer, XLMRobertaConfig,
                          XLMRobertaTokenizer)
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.model import BaseModel
from sentence_transformers.base.modules import normalize, transformer
from sentence_transformers.sentence_transformer.modules import pooling

out = sys.argv[1] if len(sys.argv) > 1 else f'{os.path.dirname(os.path.abspath(__file__))}/../../Tests/ModelsTests/Goldens/configuration_keys.json'


def parameters(function):
    return {name for name, p in inspect.signature(function).parameters.items()
            if name != 'self' and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


def taken(function):
    """Keys that a function takes from its keyword arguments."""
    return set(re.findall(r'kwargs\.(?:pop|get)\(\s*"(\w+)"', inspect.getsource(function)))


def tokenizer(cls):
    keys = set(PreTrainedTokenizerBase.SPECIAL_TOKENS_ATTRIBUTES) | {'tokenizer_class', 'added_tokens_decoder', 'additional_special_tokens'}
    for base in cls.__mro__:
        if '__init__' in vars(base) and base.__module__.startswith('transformers'):
            keys |= parameters(base.__init__) | taken(base.__init__)
    # What only the library itself passes on.
    return {key for key in keys if not key.startswith('_') or key == '_processor_class'} - {'args', 'tokenizer_object', 'tokenizer'}


def written(function):
    """Keys of the dictionary that a function builds, without those of dictionaries in it."""
    return {a or b for a, b in re.findall(r'^ {12}"(\w+)":|config\["(\w+)"\] =', inspect.getsource(function), re.M)}


def model(config):
    return set(config().to_dict()) | parameters(config.__init__) - {'kwargs'}


generation = set(vars(GenerationConfig()))


def language_model(config, tokenizer_class):
    return {'config.json': model(config), 'generation_config.json': generation, 'tokenizer_config.json': tokenizer(tokenizer_class) | tokenizer(PreTrainedTokenizerFast)}


def encoder(config, tokenizer_class):
    return {'config.json': model(config), 'tokenizer_config.json': tokenizer(tokenizer_class)}


files = {
    'marian': {'config.json': model(MarianConfig), 'generation_config.json': generation, 'tokenizer_config.json': tokenizer(MarianTokenizer)},
    'm2m_100': {'config.json': model(M2M100Config), 'generation_config.json': generation,
                'tokenizer_config.json': tokenizer(M2M100Tokenizer) | tokenizer(NllbTokenizer)},
    'mbart': {'config.json': model(MBartConfig), 'generation_config.json': generation, 'tokenizer_config.json': tokenizer(MBart50Tokenizer)},
    't5': {'config.json': model(T5Config), 'generation_config.json': generation, 'tokenizer_config.json': tokenizer(T5Tokenizer)},
    'llama': language_model(LlamaConfig, LlamaTokenizer), 'mistral': language_model(MistralConfig, LlamaTokenizer), 'qwen2': language_model(Qwen2Config, Qwen2Tokenizer),
    'bitnet': language_model(BitNetConfig, PreTrainedTokenizerFast), 'qwen3': language_model(Qwen3Config, Qwen2Tokenizer), 'smollm3': language_model(SmolLM3Config, PreTrainedTokenizerFast),
    'gemma2': language_model(Gemma2Config, GemmaTokenizer), 'gemma3_text': language_model(Gemma3TextConfig, GemmaTokenizer),
    'roberta': encoder(RobertaConfig, RobertaTokenizer), 'xlm-roberta': encoder(XLMRobertaConfig, XLMRobertaTokenizer), 'electra': encoder(ElectraConfig, BertTokenizer),
    'distilbert': encoder(DistilBertConfig, BertTokenizer),
    'bert': {
        'config.json': model(BertConfig), 'tokenizer_config.json': tokenizer(BertTokenizer),
        'sentence_bert_config.json': set(transformer.Transformer.config_keys) | parameters(transformer.Transformer.__init__) - {'model_name_or_path'},
        '1_Pooling/config.json': set(pooling.Pooling.config_keys) | set(pooling.Pooling.config_key_renames) | set(pooling._LEGACY_POOLING_MODE_KWARGS),
        '2_Normalize/config.json': set(normalize.Normalize.config_keys),
        'config_sentence_transformers.json': written(BaseModel._get_model_config) | written(SentenceTransformer._get_model_config),
    },
}
with open(out, 'w') as file:
    json.dump({family: {name: sorted(keys) for name, keys in sorted(known.items())} for family, known in sorted(files.items())}, file, indent=1)
    file.write('\n')
