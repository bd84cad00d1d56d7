#!/usr/bin/env python3
"""Small models of odd shapes with reference outputs, by PyTorch and transformers, and checkpoints in every published form.

usage: models.py [OUT]        (default: Tests/ModelsTests/Goldens of this checkout)
needs: pip install 'torch==2.13.0+cpu' transformers safetensors tokenizers

tiny-llama: grouped queries, heads wider than width / heads, biases, an untied head, the older style of rotary settings; the same weights
as model.safetensors, as two shards, and as pytorch_model.bin of today and of before PyTorch 1.6. tiny-bert: a classifier of pairs with three named labels and gelu_new;
the same weights as model.safetensors, as two shards, and as pytorch_model.bin of today.
"""
import json, os, shutil, sys
sys.path.pop(0)  # tokenizers.py beside this file would hide the package of that name
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, LlamaConfig, LlamaForCausalLM

out = sys.argv[1] if len(sys.argv) > 1 else f'{os.path.dirname(os.path.abspath(__file__))}/../../Tests/ModelsTests/Goldens'
torch.manual_seed(7)


def fresh(name):
    shutil.rmtree(f'{out}/{name}', ignore_errors=True)
    os.makedirs(f'{out}/{name}')
    return f'{out}/{name}'


def randomize(model):
    with torch.no_grad():
        for name, w in model.named_parameters():
            w.copy_((torch.randn_like(w) * (0.4 if w.dim() == 2 else 0.1) + (1 if 'norm' in name.lower() and name.endswith('weight') else 0)).half().float())
    return model.eval()


def dump(path, value):
    json.dump(value, open(path, 'w'), ensure_ascii=False, indent=1)


def save_shards(d, state):
    names = sorted(state)
    half = len(names) // 2
    os.makedirs(f'{d}/sharded')
    places = {}
    for i, part in enumerate([names[:half], names[half:]]):
        file = f'model-{i + 1:05}-of-00002.safetensors'
        save_file({n: state[n] for n in part}, f'{d}/sharded/{file}', metadata={'format': 'pt'})
        places.update({n: file for n in part})
    dump(f'{d}/sharded/model.safetensors.index.json', {'metadata': {'total_size': sum(v.numel() * 2 for v in state.values())}, 'weight_map': places})


# Llama
d = fresh('tiny-llama')
alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
merges = [('t', 'h'), ('th', 'e'), ('Ġ', 'the'), ('a', 'n')]
vocab = {t: i for i, t in enumerate(['<s>', '</s>'] + alphabet + [a + b for a, b in merges])}
tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges))
tokenizer.add_special_tokens(['<s>', '</s>'])
tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
tokenizer.save(f'{d}/tokenizer.json')
dump(f'{d}/tokenizer_config.json', {'bos_token': '<s>', 'eos_token': '</s>', 'tokenizer_class': 'PreTrainedTokenizerFast'})
shape = dict(vocab_size=len(vocab) + 3, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=6,
             max_position_embeddings=48, rms_norm_eps=1e-5, tie_word_embeddings=False, attention_bias=True, mlp_bias=True, bos_token_id=0, eos_token_id=1)
model = randomize(LlamaForCausalLM(LlamaConfig(**shape, rope_parameters={'rope_type': 'default', 'rope_theta': 500.0})))
dump(f'{d}/config.json', {**shape, 'model_type': 'llama', 'architectures': ['LlamaForCausalLM'], 'hidden_act': 'silu', 'rope_theta': 500.0, 'rope_scaling': None})
state = {k: v.half().contiguous() for k, v in model.state_dict().items()}
save_file(state, f'{d}/model.safetensors', metadata={'format': 'pt'})
save_shards(d, state)
# One parameter, one transposed and one inside a larger storage: what strides and offsets are for.
odd = dict(state)
odd['lm_head.weight'] = torch.nn.Parameter(state['lm_head.weight'])
odd['model.layers.0.mlp.down_proj.weight'] = state['model.layers.0.mlp.down_proj.weight'].t().contiguous().t()
odd['model.layers.1.mlp.down_proj.weight'] = torch.cat([torch.zeros(3, 40).half(), state['model.layers.1.mlp.down_proj.weight']])[3:]
odd['extra.position_ids'] = torch.arange(5)
os.makedirs(f'{d}/pickled')
torch.save(odd, f'{d}/pickled/pytorch_model.bin')
os.makedirs(f'{d}/legacy')
torch.save(odd, f'{d}/legacy/pytorch_model.bin', _use_new_zipfile_serialization=False)
ids = torch.tensor([[0] + torch.randint(2, len(vocab), (29,)).tolist()])
with torch.no_grad():
    logits = model(ids).logits[0]
    greedy = [{'prompt': p, 'ids': model.generate(torch.tensor([p]), attention_mask=torch.ones(1, len(p), dtype=torch.long), do_sample=False, max_new_tokens=20,
                                                  pad_token_id=1)[0].tolist()[len(p):]} for p in [[0, 5, 9], [0], ids[0, :12].tolist()]]
save_file({'logits': logits.contiguous()}, f'{d}/goldens.safetensors')

# Nats of a text in sliding windows, as the guide on perplexity of transformers takes them; labels before a window's own are masked.
text = ['the cat and the hat', 'an ant ran and ran', 'then there was nothing']
tokens = [i for line in text for i in tokenizer.encode(line).ids + [1]]


def windows(context, stride):
    begin = end = 0
    rows = []
    while end < len(tokens):
        stop = min(begin + context, len(tokens))
        x = torch.tensor([tokens[begin:stop]])
        labels = x.clone()
        labels[:, :end - begin] = -100
        scored = int((labels[0, 1:] != -100).sum())
        if scored == 0:
            break
        with torch.no_grad():
            rows.append([float(model(x, labels=labels).loss) * scored, scored])
        begin, end = begin + stride, stop
    return {'context': context, 'stride': stride, 'nats': rows}


dump(f'{d}/goldens.json', {'ids': ids[0].tolist(), 'greedy': greedy, 'text': text,
                           'windows': [windows(*w) for w in [(48, 24), (len(tokens) - 1, len(tokens) - 1), (20, 20), (20, 7), (9, 1), (2, 1)]]})

# BERT
d = fresh('tiny-bert')
words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', *'abcdefghij', *['##' + c for c in 'abcdefghij'], 'good', 'bad', 'film', 'the', '.', ',', '!', '##ly', 'not', '[unused0]', '[unused1]']
open(f'{d}/vocab.txt', 'w').write('\n'.join(words) + '\n')
dump(f'{d}/tokenizer_config.json', {'do_lower_case': True, 'model_max_length': 19, 'tokenizer_class': 'BertTokenizer'})
shape = dict(vocab_size=len(words), hidden_size=20, num_hidden_layers=3, num_attention_heads=5, intermediate_size=28, hidden_act='gelu_new',
             max_position_embeddings=19, type_vocab_size=2, layer_norm_eps=1e-6)
labels = {0: 'contradiction', 1: 'entailment', 2: 'neutral'}
model = randomize(BertForSequenceClassification(BertConfig(**shape, id2label=labels, label2id={v: k for k, v in labels.items()})))
dump(f'{d}/config.json', {**shape, 'model_type': 'bert', 'architectures': ['BertForSequenceClassification'], 'id2label': labels, 'label2id': {v: k for k, v in labels.items()}})
state = {k: v.half().contiguous() for k, v in model.state_dict().items() if 'position_ids' not in k}
save_file(state, f'{d}/model.safetensors', metadata={'format': 'pt'})
save_shards(d, state)
os.makedirs(f'{d}/pickled')
torch.save(state | {'bert.embeddings.position_ids': torch.arange(19).expand((1, -1))}, f'{d}/pickled/pytorch_model.bin')
tok = BertTokenizerFast.from_pretrained(d)
rows = []
for texts in [['The good film .'], ['Not good', 'bad, bad film!'], ['a b c d e f g h i j a b c d e f g h i j'], ['abc def ghi abc def', 'jihgfedcba good goodly film the end'], ['']]:
    x = tok(*texts, truncation=True, max_length=19, return_tensors='pt')
    with torch.no_grad():
        rows.append({'texts': texts, 'ids': x['input_ids'][0].tolist(), 'types': x['token_type_ids'][0].tolist(), 'logits': model(**x).logits[0].tolist()})
dump(f'{d}/goldens.json', rows)
