#!/usr/bin/env python3
"""Small random models that differ from Llama and BERT in settings and names, with what PyTorch and transformers make of them.

usage: kin.py [OUT]        (default: Tests/ModelsTests/Goldens/kin of this checkout)
needs: pip install 'torch==2.13.0+cpu' 'transformers==5.24.0' safetensors tokenizers==0.23.3

Every OUT/NAME is a model directory with odd shapes, and beside it
  goldens.json          language models: ids; lines: [text, ids, text that these ids give]; greedy: prompt, ids and the text of both
                        encoders: rows of texts, ids, types and logits
  goldens.safetensors   hidden_0 and on: what goes into each layer, and what comes out of the last before any norm; logits of language models
  gradients.*           as gradients.py writes them, in FP64
"""
import json, os, shutil, sys
sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, DistilBertConfig, ElectraConfig, LlamaConfig, MistralConfig,
                          BitNetConfig, Gemma2Config, Gemma3TextConfig, PreTrainedTokenizerFast, Qwen2Config, Qwen3Config, RobertaConfig, SmolLM3Config, XLMRobertaConfig)

here = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else f'{here}/../../Tests/ModelsTests/Goldens/kin'
torch.manual_seed(22)
torch.set_num_threads(1)
LINES = ['the cat and the hat', 'An ant  ran', ' then', "it's 12345 o'clock\n\n", 'Größe 中 \U0001f600', '', '▁ <s> x']


def fresh(name):
    shutil.rmtree(f'{OUT}/{name}', ignore_errors=True)
    os.makedirs(f'{OUT}/{name}')
    return f'{OUT}/{name}'


def dump(path, value):
    json.dump(value, open(path, 'w'), ensure_ascii=False, indent=1)
    open(path, 'a').write('\n')


def randomize(model):
    with torch.no_grad():
        for name, w in model.named_parameters():
            ones = 'norm' in name.lower() and name.endswith('weight') and 'gemma' not in model.config.model_type
            w.copy_((torch.randn_like(w) * (0.4 if w.dim() == 2 else 0.1) + ones).half().float())
    return model.eval()


def store(d, model, config):
    dump(f'{d}/config.json', config)
    tied = config.get('tie_word_embeddings') and 'lm_head.weight'
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items() if k != tied and 'position_ids' not in k}, f'{d}/model.safetensors', metadata={'format': 'pt'})


def written(config, architecture, **older):
    """The settings that were given, as older versions wrote them."""
    return {**config, **older, 'architectures': [architecture]}


def gradients(d, model, items, logits):
    model = model.double()
    for module in model.modules():
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    generator = torch.Generator().manual_seed(11)
    rows = [logits(model, item) for item in items]
    upstream = [torch.randn(row.shape, generator=generator, dtype=torch.float64) for row in rows]
    loss = sum((u * row).sum() for u, row in zip(upstream, rows))
    loss.backward()
    tensors = {f'gradient.{key}': p.grad.float().contiguous() for key, p in model.named_parameters() if p.grad is not None}
    tensors['upstream'] = torch.cat(upstream).float().contiguous()
    save_file(tensors, f'{d}/gradients.safetensors')
    dump(f'{d}/gradients.json', {'loss': float(loss.detach()), 'items': items})


# MARK: tokenizers

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
MERGES = [('t', 'h'), ('th', 'e'), ('a', 'n')]


def byte_level(d, pattern, begin=None):
    """Llama 3's and Qwen's: bytes, cut by a pattern."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = MERGES + [('Ġ', 'the')]
    vocab = {t: i for i, t in enumerate(['<|begin|>', '<|end|>'] + alphabet + [a + b for a, b in merges])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=True))
    tokenizer.add_special_tokens(['<|begin|>', '<|end|>'])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), 'isolated'), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    level = processors.ByteLevel(trim_offsets=False)
    if begin:
        template = processors.TemplateProcessing(single=f'{begin} $A', pair=f'{begin} $A {begin} $B', special_tokens=[(begin, vocab[begin])])
        tokenizer.post_processor = processors.Sequence([level, template])
    else:
        tokenizer.post_processor = level
    tokenizer.save(f'{d}/tokenizer.json')
    dump(f'{d}/tokenizer_config.json', {'tokenizer_class': 'PreTrainedTokenizerFast', 'eos_token': '<|end|>', **({'bos_token': begin} if begin else {})})
    return tokenizer, len(vocab)


def sentencepiece(d, prepends):
    """Llama 2's: characters, bytes where they have no token, a sign for spaces."""
    merges = MERGES + [('▁', 'the'), ('▁', 'a')]
    tokens = ['<unk>', '<s>', '</s>'] + [f'<0x{b:02X}>' for b in range(256)] + ['▁', *'abcdefghijklmnopqrstuvwxyz1234', *(a + b for a, b in merges)]
    vocab = {t: i for i, t in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token='<unk>'))
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ['<unk>', '<s>', '</s>']])
    if prepends:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend('▁'), normalizers.Replace(' ', '▁')])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement='▁', prepend_scheme='first', split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A', pair='<s> $A <s>:1 $B:1', special_tokens=[('<s>', 1)])
    tokenizer.save(f'{d}/tokenizer.json')
    dump(f'{d}/tokenizer_config.json', {'tokenizer_class': 'LlamaTokenizer', 'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>', 'legacy': prepends,
                                        'add_bos_token': True, 'add_eos_token': False, 'model_max_length': 1000000000000000019884624838656, 'sp_model_kwargs': {}})
    return tokenizer, len(vocab)


def gemma(d):
    """Characters, bytes where they have no token, a sign for spaces that is put nowhere else; lines' ends and blanks are tokens beside the model."""
    merges = MERGES + [('▁', 'the'), ('▁', 'a')]
    tokens = ['<pad>', '<eos>', '<bos>', '<unk>', '<mask>', '\n\n', '▁▁'] + [f'<0x{b:02X}>' for b in range(256)] + ['▁', '\n', *'abcdefghijklmnopqrstuvwxyz1234', *(a + b for a, b in merges)]
    vocab = {t: i for i, t in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, byte_fallback=True, fuse_unk=True, unk_token='<unk>'))
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in tokens[:5]])
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in tokens[5:7]])
    tokenizer.normalizer = normalizers.Replace(' ', '▁')
    tokenizer.pre_tokenizer = pre_tokenizers.Split(' ', 'merged_with_previous')
    tokenizer.decoder = decoders.Sequence([decoders.Replace('▁', ' '), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single='<bos> $A', pair='<bos> $A <bos>:1 $B:1', special_tokens=[('<bos>', 2)])
    tokenizer.save(f'{d}/tokenizer.json')
    dump(f'{d}/tokenizer_config.json', {'tokenizer_class': 'GemmaTokenizer', 'bos_token': '<bos>', 'eos_token': '<eos>', 'pad_token': '<pad>', 'unk_token': '<unk>',
                                        'add_bos_token': True, 'add_eos_token': False, 'spaces_between_special_tokens': False, 'sp_model_kwargs': {}})
    return tokenizer, len(vocab)


# MARK: language models

def language_model(name, config_class, architecture, tokenizer, settings, **older):
    """`settings` are today's; `older` what older versions wrote in the place of rope_parameters."""
    d = fresh(name)
    tokenizer, size = tokenizer(d)
    begin, end = {'llama2': (1, 2), 'mistral': (1, 2), 'gemma2': (2, 1), 'gemma3_text': (2, 1)}.get(name, (0, 1))
    settings = dict(vocab_size=size + 3, hidden_size=16, intermediate_size=20, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
                    rms_norm_eps=1e-5, bos_token_id=begin, eos_token_id=end, pad_token_id=None, **settings)
    config = config_class(**settings)
    model = randomize(AutoModelForCausalLM.from_config(config, attn_implementation='eager'))
    kept = {k: v for k, v in settings.items() if not (older and k == 'rope_parameters')}
    store(d, model, written({**kept, 'model_type': config.model_type, 'hidden_act': 'silu', 'torch_dtype': 'float16'}, architecture, **older))
    ids = torch.randint(3, size, (1, 21))
    hidden = []
    hooks = [layer.register_forward_hook(lambda _, inputs, output: hidden.append((inputs[0], output if isinstance(output, torch.Tensor) else output[0]))) for layer in model.model.layers]
    with torch.no_grad():
        logits = model(ids).logits[0]
    for hook in hooks:
        hook.remove()
    states = {f'hidden_{i}': x[0].contiguous() for i, x in enumerate([a for a, _ in hidden] + [hidden[-1][1]])}
    save_file({'logits': logits.contiguous(), **states}, f'{d}/goldens.safetensors')
    loaded = PreTrainedTokenizerFast(tokenizer_file=f'{d}/tokenizer.json')
    greedy = []
    for prompt in ['the cat', 'an ant ran 12']:
        x = loaded(prompt, return_tensors='pt')['input_ids']
        with torch.no_grad():
            y = model.generate(x, attention_mask=torch.ones_like(x), do_sample=False, max_new_tokens=24, pad_token_id=config.eos_token_id)[0].tolist()
        new = y[x.shape[1]:]
        greedy.append({'prompt': prompt, 'ids': new, 'text': loaded.decode(new, skip_special_tokens=True, clean_up_tokenization_spaces=False)})
    lines = [[t, tokenizer.encode(t).ids, tokenizer.decode(tokenizer.encode(t).ids)] for t in LINES]
    # What transformers' own loader makes of the directory. Its LlamaTokenizer builds a pre-tokenizer of its own, which puts no sign before a text
    # that starts with a space, and one behind no special token; the file and SentencePiece do.
    auto = AutoTokenizer.from_pretrained(d)
    assert all(auto(t)['input_ids'] == i for t, i, _ in lines if '<s>' not in t and t[:1] != ' '), name
    reread = AutoModelForCausalLM.from_pretrained(d, dtype=torch.float32, attn_implementation='eager')
    with torch.no_grad():
        assert torch.equal(reread(ids).logits[0], logits), name
    dump(f'{d}/goldens.json', {'ids': ids[0].tolist(), 'greedy': greedy, 'lines': lines})
    generator = torch.Generator().manual_seed(5)
    items = [{'tokens': torch.randint(3, size, (length,), generator=generator).tolist(), 'scored': scored} for length, scored in [(13, 12), (2, 1), (20, 5)]]
    gradients(d, model, items, lambda model, item: model(torch.tensor([item['tokens'][:-1]])).logits[0, -item['scored']:])
    print(name, len(greedy))


rope3 = {'rope_type': 'llama3', 'factor': 4.0, 'low_freq_factor': 1.0, 'high_freq_factor': 4.0, 'original_max_position_embeddings': 24}
language_model('llama3', LlamaConfig, 'LlamaForCausalLM', lambda d: byte_level(d, LLAMA3, '<|begin|>'),
               dict(num_hidden_layers=2, tie_word_embeddings=True, head_dim=8, rope_parameters={**rope3, 'rope_theta': 700.0}), rope_theta=700.0, rope_scaling=rope3)
language_model('llama2', LlamaConfig, 'LlamaForCausalLM', lambda d: sentencepiece(d, True),
               dict(num_hidden_layers=2, rope_parameters={'rope_type': 'linear', 'factor': 2.5, 'rope_theta': 300.0}), rope_theta=300.0, rope_scaling={'type': 'linear', 'factor': 2.5})
language_model('mistral', MistralConfig, 'MistralForCausalLM', lambda d: sentencepiece(d, False),
               dict(num_hidden_layers=2, head_dim=6, sliding_window=5, rope_parameters={'rope_type': 'default', 'rope_theta': 900.0}), rope_theta=900.0)
language_model('qwen2', Qwen2Config, 'Qwen2ForCausalLM', lambda d: byte_level(d, LLAMA3.replace(r'\p{N}{1,3}', r'\p{N}')),
               dict(num_hidden_layers=3, use_sliding_window=True, sliding_window=9, max_window_layers=1, rope_parameters={'rope_type': 'dynamic', 'factor': 2.0, 'rope_theta': 500.0}))
language_model('qwen3', Qwen3Config, 'Qwen3ForCausalLM', lambda d: byte_level(d, LLAMA3.replace(r'\p{N}{1,3}', r'\p{N}')),
               dict(num_hidden_layers=2, head_dim=10, attention_bias=True, tie_word_embeddings=True, rope_parameters={'rope_type': 'default', 'rope_theta': 5000.0}))
language_model('smollm3', SmolLM3Config, 'SmolLM3ForCausalLM', lambda d: byte_level(d, LLAMA3, '<|begin|>'),
               dict(num_hidden_layers=4, no_rope_layers=[1, 0, 1, 0], use_sliding_window=True, sliding_window=11, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
                    rope_parameters={'rope_type': 'default', 'rope_theta': 2000.0}))


# MARK: encoders

def roberta_tokenizer(d):
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = MERGES + [('Ġ', 'the'), ('Ġ', 'a')]
    vocab = {t: i for i, t in enumerate(['<s>', '<pad>', '</s>', '<unk>'] + alphabet + [a + b for a, b in merges] + ['<mask>'])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, continuing_subword_prefix='', end_of_word_suffix=''))
    tokenizer.add_special_tokens(['<s>', '<pad>', '</s>', '<unk>', AddedToken('<mask>', lstrip=True)])
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), trim_offsets=True, add_prefix_space=False)
    tokenizer.save(f'{d}/tokenizer.json')
    dump(f'{d}/tokenizer_config.json', {'tokenizer_class': 'RobertaTokenizer', 'model_max_length': 19, 'add_prefix_space': False, 'errors': 'replace', 'trim_offsets': True})
    return len(vocab)


def unigram_tokenizer(d):
    pieces = [('<s>', 0.0), ('<pad>', 0.0), ('</s>', 0.0), ('<unk>', 0.0), ('▁', -2.0), ('▁the', -2.5), ('▁a', -3.1), ('an', -3.2), ('the', -4.0), ('film', -5.0), ('▁good', -5.5), ('ly', -4.5)]
    pieces += [(c, -6.0 - i / 7) for i, c in enumerate('etaoinshrdlucmfwypbvkgjqxz.,!Größe中')]
    vocab = [(p, s) for i, (p, s) in enumerate(pieces) if p not in [q for q, _ in pieces[:i]]]
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    tokenizer.add_special_tokens(['<s>', '<pad>', '</s>', '<unk>', AddedToken('<mask>', lstrip=True)])
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(' {2,}'), ' ')])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement='▁', prepend_scheme='always')])
    tokenizer.decoder = decoders.Metaspace(replacement='▁', prepend_scheme='always')
    tokenizer.post_processor = processors.TemplateProcessing(single='<s> $A </s>', pair='<s> $A </s> </s> $B </s>', special_tokens=[('<s>', 0), ('</s>', 2)])
    tokenizer.save(f'{d}/tokenizer.json')
    dump(f'{d}/tokenizer_config.json', {'tokenizer_class': 'PreTrainedTokenizerFast', 'model_max_length': 19, 'bos_token': '<s>', 'eos_token': '</s>', 'unk_token': '<unk>',
                                        'sep_token': '</s>', 'pad_token': '<pad>', 'cls_token': '<s>', 'mask_token': '<mask>'})
    return tokenizer.get_vocab_size()


def wordpiece_tokenizer(d):
    words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *'abcdefghij', *['##' + c for c in 'abcdefghij'], 'good', 'bad', 'film', 'the', '.', ',', '!', '##ly', 'not']
    open(f'{d}/vocab.txt', 'w').write('\n'.join(words) + '\n')
    dump(f'{d}/tokenizer_config.json', {'do_lower_case': True, 'model_max_length': 19, 'tokenizer_class': 'BertTokenizer'})
    return len(words)


TEXTS = [['The good film .'], ['Not good', 'bad, bad film!'], ['a b c d e f g h i j a b c d e f g h i j'], ['abc def ghi abc def', 'jihgfedcba good goodly film the end'], [''],
         ['an <pad> and [PAD] the <mask> end'], ['Größe 中文', 'ﬁlm  ½']]


def encoder(name, config_class, architecture, tokenizer, settings, labels, problem):
    d = fresh(name)
    size = tokenizer(d)
    settings = dict(vocab_size=size, num_labels=len(labels), problem_type=problem, **settings)
    config = config_class(**settings)
    model = randomize(AutoModelForSequenceClassification.from_config(config, attn_implementation='eager'))
    names = {str(i): name for i, name in enumerate(labels)}
    store(d, model, written({**{k: v for k, v in settings.items() if k != 'num_labels'}, 'model_type': config.model_type, 'id2label': names}, architecture))
    tok = AutoTokenizer.from_pretrained(d)
    rows, tensors = [], {}
    for index, texts in enumerate(TEXTS):
        x = tok(*texts, truncation=True, max_length=19, return_tensors='pt')
        if name in ('distilbert',):
            x.pop('token_type_ids', None)
        with torch.no_grad():
            y = model(**x, output_hidden_states=True)
        ids = x['input_ids'][0].tolist()
        rows.append({'texts': texts, 'ids': ids, 'types': x['token_type_ids'][0].tolist() if 'token_type_ids' in x else [0] * len(ids), 'logits': y.logits[0].tolist()})
        if index < 2 or index == 5:
            tensors |= {f'hidden_{index}_{i}': h[0].contiguous() for i, h in enumerate(y.hidden_states)}
    save_file(tensors, f'{d}/goldens.safetensors')
    dump(f'{d}/goldens.json', rows)
    generator = torch.Generator().manual_seed(6)
    types = settings.get('type_vocab_size', 1) > 1
    items = [{'tokens': torch.randint(2, size, (length,), generator=generator).tolist(), 'types': [0] * first + [int(types)] * (length - first)}
             for length, first in [(9, 5), (1, 1), (17, 17), (6, 2)]]
    if problem == 'regression':
        # The same gradients of one number's scores as of the number: see `ScoreTable`.
        table = torch.arange(-32, 33, dtype=torch.float64)
        scores = lambda z: z * table - table * table / 2
    elif problem == 'multi_label_classification':
        scores = lambda z: torch.stack([torch.zeros_like(z[0]), z[0]], 1)
    else:
        scores = lambda z: z

    def logits(model, item):
        more = {'token_type_ids': torch.tensor([item['types']])} if types else {}
        return scores(model(torch.tensor([item['tokens']]), **more).logits)

    gradients(d, model, items, logits)
    print(name, len(rows))


common = dict(hidden_size=20, num_hidden_layers=2, num_attention_heads=5, intermediate_size=28, layer_norm_eps=1e-6)
encoder('roberta', RobertaConfig, 'RobertaForSequenceClassification', roberta_tokenizer, dict(**common, max_position_embeddings=21, type_vocab_size=1, pad_token_id=1), ['no', 'yes', 'maybe'],
        'single_label_classification')
encoder('xlm-roberta', XLMRobertaConfig, 'XLMRobertaForSequenceClassification', unigram_tokenizer, dict(**common, max_position_embeddings=21, type_vocab_size=1, pad_token_id=1),
        ['toxic', 'rude', 'kind', 'long'], 'multi_label_classification')
encoder('electra', ElectraConfig, 'ElectraForSequenceClassification', wordpiece_tokenizer, dict(**common, embedding_size=12, max_position_embeddings=19, type_vocab_size=2), ['no', 'yes'], None)
encoder('distilbert', DistilBertConfig, 'DistilBertForSequenceClassification', wordpiece_tokenizer,
        dict(dim=20, n_layers=2, n_heads=5, hidden_dim=28, activation='gelu', max_position_embeddings=19), ['score'], 'regression')

# Behind the encoders, so that these keep their random numbers.
language_model('gemma2', Gemma2Config, 'Gemma2ForCausalLM', gemma,
               dict(num_hidden_layers=3, head_dim=10, query_pre_attn_scalar=7, sliding_window=6, attn_logit_softcapping=2.5, final_logit_softcapping=4.0,
                    rope_parameters={'rope_type': 'default', 'rope_theta': 800.0}), rope_theta=800.0, hidden_act='gelu_pytorch_tanh', hidden_activation='gelu_pytorch_tanh')
language_model('gemma3_text', Gemma3TextConfig, 'Gemma3ForCausalLM', gemma,
               dict(num_hidden_layers=5, head_dim=6, query_pre_attn_scalar=9, sliding_window=5, sliding_window_pattern=2,
                    rope_parameters={'full_attention': {'rope_type': 'linear', 'factor': 4.0, 'rope_theta': 6000.0}, 'sliding_attention': {'rope_type': 'default', 'rope_theta': 90.0}}),
               rope_theta=6000.0, rope_local_base_freq=90.0, rope_scaling={'rope_type': 'linear', 'factor': 4.0})
language_model('bitnet', BitNetConfig, 'BitNetForCausalLM', lambda d: byte_level(d, LLAMA3, '<|begin|>'),
               dict(num_hidden_layers=2, tie_word_embeddings=True, rope_parameters={'rope_type': 'default', 'rope_theta': 400.0}), rope_theta=400.0, hidden_act='relu2')
