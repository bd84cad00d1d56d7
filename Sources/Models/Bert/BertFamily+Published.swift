extension BertFamily {
    /// By `model_type`. Names are those of Hugging Face's hub.
    package static let published: [PublishedModels] = {
        let tasks =
            "classification, labels, regression (...ForSequenceClassification); similarity (...Model, sentence-transformers)"
        let common = "masked words, tokens and spans as answers"
        return [
            PublishedModels(
                "bert",
                checkpoints:
                    "textattack/bert-base-uncased-SST-2; sentence-transformers/all-MiniLM-L6-v2, paraphrase-multilingual-MiniLM-L12-v2",
                tasks: tasks, lacks: common + ", relative positions, decoders"),
            PublishedModels(
                "roberta",
                checkpoints:
                    "FacebookAI/roberta-large-mnli; cross-encoder/stsb-roberta-base; SamLowe/roberta-base-go_emotions; sentence-transformers/all-distilroberta-v1",
                tasks: tasks, lacks: common + ", tokenizers without tokenizer.json"),
            PublishedModels(
                "xlm-roberta",
                checkpoints:
                    "joeddav/xlm-roberta-large-xnli; papluca/xlm-roberta-base-language-detection; sentence-transformers/paraphrase-xlm-r-multilingual-v1",
                tasks: tasks, lacks: common + ", tokenizers without tokenizer.json"),
            PublishedModels(
                "electra",
                checkpoints:
                    "classifiers tuned from google/electra-small-discriminator and -base-discriminator; as ElectraModel the discriminators themselves",
                tasks: tasks, lacks: common + ", the discriminator's judgement of single tokens, generators"),
            PublishedModels(
                "distilbert",
                checkpoints:
                    "distilbert/distilbert-base-uncased-finetuned-sst-2-english; sentence-transformers/multi-qa-distilbert-cos-v1",
                tasks: tasks, lacks: common),
        ]
    }()
}
