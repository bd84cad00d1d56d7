extension LlamaFamily {
    /// By `model_type`. Names are those of Hugging Face's hub.
    package static let published: [PublishedModels] = {
        let task = "language modelling"
        let common = "rope_type yarn and longrope, tokenizers without tokenizer.json"
        return [
            PublishedModels(
                "llama",
                checkpoints:
                    "meta-llama/Llama-2-7b-hf, Llama-3.1-8B, Llama-3.2-1B; TinyLlama/TinyLlama-1.1B-Chat-v1.0; HuggingFaceTB/SmolLM2-135M",
                tasks: task, lacks: common),
            PublishedModels(
                "mistral", checkpoints: "mistralai/Mistral-7B-v0.1, -v0.3", tasks: task,
                lacks: common + ", Tekken's split pattern (Mistral-Nemo)"),
            PublishedModels(
                "bitnet",
                checkpoints: "none: a layout to train in, with a norm before the last product of a sublayer",
                tasks: task,
                lacks: common
                    + ", the ternary weights of microsoft/bitnet-b1.58-2B-4T (refused by quantization_config)"
            ),
            PublishedModels(
                "qwen2", checkpoints: "Qwen/Qwen2-0.5B, Qwen2.5-0.5B to -7B", tasks: task,
                lacks: common + ", mixtures of experts"),
            PublishedModels(
                "qwen3", checkpoints: "Qwen/Qwen3-0.6B to -8B", tasks: task,
                lacks: common + ", mixtures of experts"),
            PublishedModels(
                "smollm3", checkpoints: "HuggingFaceTB/SmolLM3-3B", tasks: task,
                lacks: common + ", drop-layers where layers differ"),
            PublishedModels(
                "gemma2", checkpoints: "google/gemma-2-2b, -9b, -27b", tasks: task,
                lacks: common + ", drop-layers"),
            PublishedModels(
                "gemma3_text", checkpoints: "google/gemma-3-270m, -1b-pt", tasks: task,
                lacks: common + ", drop-layers, pictures (gemma3)"),
        ]
    }()
}
