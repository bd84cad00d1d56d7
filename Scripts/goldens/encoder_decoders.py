#!/usr/bin/env python3
"""Tiny encoder-decoders with random weights and tokenizers trained small, and what transformers' own classes make of them in FP32.

usage: encoder_decoders.py [OUT] [MODEL...]        (default: Tests/ModelsTests/Goldens of this checkout, all models)
needs: pip install 'torch==2.13.0+cpu' 'transformers==5.24.0' sentencepiece protobuf safetensors; no sacremoses

OUT/NAME/ is a whole model directory, weights as FP16. OUT/NAME/goldens.json: the longest target, and for each sentence text and ids of
source and target, greedy and beam-4 ids without the start symbol, and the greedy text; beam-4 ids again of all sentences in one padded
batch (padded4_ids), and so with early_stopping and a length penalty of 2 (early4_ids). OUT/NAME/goldens.safetensors, for each
sentence i: encoder_i (tokens, d), logits_i (target tokens, vocabulary), teacher-forced.

marian-separate: vocabularies and embeddings of their own, as `share_encoder_decoder_embeddings: false` has them; marian-untied: an
output projection of its own too; marian-output: one embedding for both sides, but another output. tiny-m2m100, tiny-nllb, tiny-mbart50:
languages. tiny-t5: tied, ReLU; tiny-t5-v1_1: untied, gated GELU, other buckets.
"""
import io, json, os, shutil, sys

# The script beside this one is called like the library that transformers needs.
sys.path = [path for path in sys.path if os.path.realpath(path) != os.path.dirname(os.path.realpath(__file__))]

import sentencepiece
import torch
from safetensors.torch import save_file
from transformers import (GenerationConfig, M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer, MarianConfig, MarianMTModel,
                          MarianTokenizer, MBart50Tokenizer, MBartConfig, MBartForConditionalGeneration, NllbTokenizer, T5Config,
                          T5ForConditionalGeneration, T5Tokenizer)
from transformers.models.m2m_100.tokenization_m2m_100 import FAIRSEQ_LANGUAGE_CODES as M2M100_CODES
from transformers.models.nllb.tokenization_nllb import FAIRSEQ_LANGUAGE_CODES as NLLB_CODES

torch.set_num_threads(1)
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../Tests/ModelsTests/Goldens")
MAX_LENGTH = 18
SOURCES = """the cat sat on the mat
a small bird sang all night
rain fell on the roof
the dog saw the small cat
on the mat sat a bird
all the rain
the roof, the mat and the dog
a cat""".split("\n")
TARGETS = """die katze lag auf der matte
ein kleiner vogel sang die nacht
regen fiel auf das dach
der hund sah die kleine katze
auf der matte lag ein vogel
all der regen
das dach, die matte und der hund
eine katze""".split("\n")


def train(path, lines, size, **options):
    written = io.BytesIO()  # a file's name would become part of the model
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines * 5), model_writer=written, vocab_size=size, hard_vocab_limit=False, minloglevel=2,
        character_coverage=1.0, num_threads=1, normalization_rule_name="identity", **options)
    with open(path, "wb") as file:
        file.write(written.getvalue())
    return sentencepiece.SentencePieceProcessor(model_file=path)


def pieces(model):
    return [model.id_to_piece(i) for i in range(model.get_piece_size())]


def dump(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def fill(model, generator):
    """Weights that keep activations of size 1, norms and biases that are not trivial."""
    for name, parameter in model.named_parameters():
        random = torch.randn(parameter.shape, generator=generator)
        if "embed_positions" in name and "Marian" in type(model).__name__:
            continue
        if "shared" in name or "embed_tokens" in name or "embed_positions" in name or "relative_attention_bias" in name:
            parameter.data = (1 if "relative" in name else 0.3) * random
        elif "norm" in name:
            parameter.data = (1 if name.endswith("weight") else 0) + 0.2 * random
        elif parameter.dim() == 2:
            parameter.data = 3 * random / parameter.shape[1] ** 0.5
        else:
            parameter.data = 0.2 * random
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias = 0.3 * torch.randn(model.final_logits_bias.shape, generator=generator)


class Marian:
    def __init__(self, folder):
        self.vocabularies = []
        for side, lines, name in (("source", SOURCES, "vocab"), ("target", TARGETS, "target_vocab")):
            model = train(f"{folder}/{side}.spm", lines, 60)
            tokens = ["</s>", "<unk>", "<pad>"] + [p for p in pieces(model) if p not in ("<unk>", "<s>", "</s>")]
            dump(f"{folder}/{name}.json", {token: i for i, token in enumerate(tokens)})
            self.vocabularies.append(len(tokens))
        dump(f"{folder}/tokenizer_config.json", {"tokenizer_class": "MarianTokenizer", "separate_vocabs": True, "source_lang": "en", "target_lang": "de"})
        self.tokenizer = MarianTokenizer.from_pretrained(folder)
        self.ids = dict(pad_token_id=2, eos_token_id=0, decoder_start_token_id=2)
        self.generation = dict(bad_words_ids=[[2]], forced_eos_token_id=0)

    def source(self, text):
        return self.tokenizer(text)["input_ids"]

    def target(self, text):
        return self.tokenizer(text_target=text)["input_ids"]

    def decode(self, ids):
        return self.tokenizer.decode(ids, skip_special_tokens=True)


class Multilingual(Marian):
    """M2M100 and mBART-50, whose ids are the reference's own."""
    def __init__(self, folder, cls, source, target):
        model = train(f"{folder}/sentencepiece.bpe.model", SOURCES + TARGETS, 80, model_type="unigram" if cls is MBart50Tokenizer else "bpe")
        config = {"tokenizer_class": cls.__name__, "src_lang": source, "tgt_lang": target}
        if cls is M2M100Tokenizer:
            config["additional_special_tokens"] = [f"__{code}__" for code in M2M100_CODES["m2m100"]]
            dump(f"{folder}/vocab.json", {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>"] + pieces(model)[3:])})
        dump(f"{folder}/tokenizer_config.json", config)
        self.tokenizer = cls.from_pretrained(folder)
        self.vocabularies = [len(self.tokenizer) if cls is MBart50Tokenizer else len(self.tokenizer.encoder) + 100]
        self.ids = dict(pad_token_id=1, eos_token_id=2, bos_token_id=0, decoder_start_token_id=2)
        self.generation = dict(forced_bos_token_id=self.target("a")[0])


class Nllb(Multilingual):
    """NLLB, whose published vocabularies have the languages before <mask>: without its tokenizer.json the reference has it the other way."""
    def __init__(self, folder):
        model = train(f"{folder}/sentencepiece.bpe.model", SOURCES + TARGETS, 80, model_type="bpe")
        config = {"src_lang": "eng_Latn", "tgt_lang": "deu_Latn", "tokenizer_class": "NllbTokenizer"}
        dump(f"{folder}/tokenizer_config.json", config | {"additional_special_tokens": NLLB_CODES})
        self.tokenizer = NllbTokenizer.from_pretrained(folder)
        dump(f"{folder}/tokenizer_config.json", config)
        tokens = ["<s>", "<pad>", "</s>", "<unk>"] + pieces(model)[3:] + NLLB_CODES + ["<mask>"]
        self.own = {self.tokenizer.convert_tokens_to_ids(token): i for i, token in enumerate(tokens)}
        self.its = {i: id for id, i in self.own.items()}
        assert len(self.own) == len(tokens) == len(self.tokenizer)
        self.vocabularies = [len(tokens) + 2]
        self.ids = dict(pad_token_id=1, eos_token_id=2, bos_token_id=0, decoder_start_token_id=2)
        self.generation = dict()

    def source(self, text):
        return [self.own[i] for i in self.tokenizer(text)["input_ids"]]

    def target(self, text):
        return [self.own[i] for i in self.tokenizer(text_target=text)["input_ids"]]

    def decode(self, ids):
        return self.tokenizer.decode([self.its[i] for i in ids if i in self.its], skip_special_tokens=True)


class T5(Marian):
    def __init__(self, folder):
        train(f"{folder}/spiece.model", SOURCES + TARGETS, 80, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
        dump(f"{folder}/tokenizer_config.json", {"tokenizer_class": "T5Tokenizer", "extra_ids": 7})
        self.tokenizer = T5Tokenizer.from_pretrained(folder)
        self.vocabularies = [len(self.tokenizer) + 5]
        self.ids = dict(pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
        self.generation = {}


SHAPE = dict(d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=3, encoder_ffn_dim=28,
             decoder_ffn_dim=36, max_position_embeddings=40)


def marian(share, tie):
    def make(tokenizer):
        source, target = tokenizer.vocabularies
        rows = max(source, target) + 3
        return MarianMTModel(MarianConfig(
            **SHAPE, **tokenizer.ids, vocab_size=rows if share else source + 3, decoder_vocab_size=rows if share else target + 1,
            share_encoder_decoder_embeddings=share, tie_word_embeddings=tie, activation_function="relu", scale_embedding=True,
            forced_eos_token_id=None))
    return make


def t5(**shape):
    return lambda tokenizer: T5ForConditionalGeneration(T5Config(**shape, **tokenizer.ids, vocab_size=tokenizer.vocabularies[0]))


MODELS = {
    "marian-separate": (Marian, marian(False, True)),
    "marian-untied": (Marian, marian(False, False)),
    "marian-output": (Marian, marian(True, False)),
    "tiny-m2m100": (lambda folder: Multilingual(folder, M2M100Tokenizer, "en", "de"), lambda tokenizer: M2M100ForConditionalGeneration(M2M100Config(
        **SHAPE, **tokenizer.ids, vocab_size=tokenizer.vocabularies[0] + 8))),
    "tiny-nllb": (Nllb, lambda tokenizer: M2M100ForConditionalGeneration(M2M100Config(
        **SHAPE | dict(encoder_layers=1, d_model=12), **tokenizer.ids, vocab_size=tokenizer.vocabularies[0], activation_function="gelu", scale_embedding=False))),
    "tiny-mbart50": (lambda folder: Multilingual(folder, MBart50Tokenizer, "en_XX", "de_DE"), lambda tokenizer: MBartForConditionalGeneration(MBartConfig(
        **SHAPE, **tokenizer.ids, vocab_size=tokenizer.vocabularies[0], scale_embedding=True, forced_eos_token_id=2))),
    "tiny-t5": (T5, t5(d_model=24, d_kv=5, d_ff=36, num_layers=3, num_decoder_layers=2, num_heads=3, relative_attention_num_buckets=8,
                       relative_attention_max_distance=9)),
    "tiny-t5-v1_1": (T5, t5(d_model=20, d_kv=6, d_ff=28, num_layers=3, num_heads=4, feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
}


# By model, what lifts the scores of the end symbol, and the seed.
ENDS = {"marian-separate": (1, 2), "marian-untied": (3, 2), "marian-output": (3, 4), "tiny-m2m100": (4, 4), "tiny-nllb": (4, 4), "tiny-mbart50": (2, 2),
        "tiny-t5": (2, 4), "tiny-t5-v1_1": (2, 4)}


def strip(ids, eos):
    ids = ids.tolist()[1:]
    return ids[: ids.index(eos) + 1] if eos in ids else ids


@torch.no_grad()
def make(name, kind, network):
    folder = os.path.join(OUT, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    tokenizer = kind(folder)
    end, seed = ENDS[name]
    generator = torch.Generator().manual_seed(seed)
    model = network(tokenizer).eval()
    fill(model, generator)
    eos = tokenizer.ids["eos_token_id"]
    if name == "marian-output":
        # Without tying the reference keeps three embeddings; the converter of published models writes one.
        model.model.encoder.embed_tokens.weight.data = model.model.shared.weight.data.clone()
        model.model.decoder.embed_tokens.weight.data = model.model.shared.weight.data.clone()
    if name == "tiny-t5-v1_1":
        # The reference ties these weights, unless a file has both and its config.json says that they are two.
        model.config.tie_word_embeddings = False
        model.lm_head.weight = torch.nn.Parameter(torch.randn(model.lm_head.weight.shape, generator=generator) / 12)
    # Some translations end before the longest, and most tokens are words.
    embedding = model.get_output_embeddings().weight.data
    embedding[80:] *= 0.3
    embedding[tokenizer.vocabularies[-1]:] = 0
    if "m2m100" in name or "nllb" in name:
        # As published: the reference gives padding no position, and nobody generates it.
        embedding[1] = 0
    if hasattr(model, "final_logits_bias"):
        model.final_logits_bias[0, eos] += end
        model.final_logits_bias[0, tokenizer.vocabularies[-1]:] = -9
    else:
        embedding[eos] *= end
    generation = dict(max_length=MAX_LENGTH, num_beams=4, length_penalty=1.0, early_stopping=False)
    model.generation_config = GenerationConfig(**tokenizer.ids, **generation, **tokenizer.generation)
    model.half().save_pretrained(folder)
    if name == "tiny-t5-v1_1":
        state = {key: value.half().contiguous() for key, value in model.state_dict().items() if not key.endswith("coder.embed_tokens.weight")}
        save_file(state, f"{folder}/model.safetensors", metadata={"format": "pt"})
        config = json.load(open(f"{folder}/config.json"))
        dump(f"{folder}/config.json", {key: value for key, value in config.items() if key != "scale_decoder_outputs"} | {"tie_word_embeddings": False})
    model = type(model).from_pretrained(folder, dtype=torch.float32).eval()
    if name == "tiny-t5-v1_1":
        assert not torch.equal(model.lm_head.weight, model.shared.weight) and not model.config.scale_decoder_outputs
    forced = {} if "forced_bos_token_id" in tokenizer.generation or not name.startswith("tiny-nllb") else {"forced_bos_token_id": tokenizer.target("a")[0]}
    sentences, tensors = [], {}
    pairs = list(zip(SOURCES, TARGETS))
    if name.startswith("tiny-t5"):
        pairs.append((" ".join(2 * SOURCES), " ".join(2 * TARGETS)))  # beyond the largest distance
    for index, (text, reference) in enumerate(pairs):
        source, target = tokenizer.source(text), tokenizer.target(reference)
        ids = torch.tensor([source])
        result = model(input_ids=ids, decoder_input_ids=torch.tensor([[tokenizer.ids["decoder_start_token_id"]] + target[:-1]]))
        tensors[f"encoder_{index}"] = result.encoder_last_hidden_state[0].contiguous()
        tensors[f"logits_{index}"] = result.logits[0].contiguous()
        greedy = strip(model.generate(input_ids=ids, num_beams=1, do_sample=False, **forced)[0], eos)
        beam = strip(model.generate(input_ids=ids, num_beams=4, do_sample=False, **forced)[0], eos)
        sentences.append({"source": text, "source_ids": source, "target": reference, "target_ids": target, "greedy_ids": greedy,
                          "greedy": tokenizer.decode(greedy), "beam4_ids": beam})
    # All in one batch, the shorter sources padded; once more with the settings of published T5s.
    pad, sources = tokenizer.ids["pad_token_id"], [sentence["source_ids"] for sentence in sentences]
    width = max(len(source) for source in sources)
    batch = dict(input_ids=torch.tensor([source + [pad] * (width - len(source)) for source in sources]),
                 attention_mask=torch.tensor([[1] * len(source) + [0] * (width - len(source)) for source in sources]))
    for key, options in (("padded4_ids", {}), ("early4_ids", dict(early_stopping=True, length_penalty=2.0))):
        for sentence, ids in zip(sentences, model.generate(**batch, num_beams=4, do_sample=False, **forced, **options)):
            sentence[key] = strip(ids, eos)
    dump(f"{folder}/goldens.json", {"max_length": MAX_LENGTH, "sentences": sentences})
    save_file(tensors, f"{folder}/goldens.safetensors")
    for file in os.listdir(folder):
        os.chmod(os.path.join(folder, file), 0o644)
    print(name, [len(s["greedy_ids"]) for s in sentences], [len(s["beam4_ids"]) for s in sentences], sentences[0]["greedy"])


for name, (kind, network) in MODELS.items():
    if name in sys.argv[2:] or not sys.argv[2:]:
        make(name, kind, network)
