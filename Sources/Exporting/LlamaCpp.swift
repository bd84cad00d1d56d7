import PlanFormat

/// `llama-quantize --tensor-type-file`: lines `pattern=type`. The first pattern that is found in a tensor's
/// name decides, so patterns are anchored and disjoint. Where a row does not divide into a type's blocks
/// llama.cpp takes another type without a word in the file: here the file has the type that is taken in the
/// end.
///
/// The base type on the command line has to be a quantized one, or the file is not looked at;
/// `--token-embedding-type` and `--output-tensor-type` go before the file.
/// - Source: llama.cpp, `src/llama-quant.cpp` (`llama_tensor_get_type`, `tensor_type_fallback`).
enum LlamaCpp {
    /// The types that are used here.
    enum TensorType: String {
        case f32, f16, q8_0, q5_1, q5_0, q4_1, q4_0, q6_k, q5_k, q4_k, q3_k, q2_k

        /// Columns of a block; a row has to divide into them.
        var block: Int {
            switch self {
            case .f32, .f16: 1
            case .q8_0, .q5_1, .q5_0, .q4_1, .q4_0: 32
            case .q6_k, .q5_k, .q4_k, .q3_k, .q2_k: 256
            }
        }

        /// What llama.cpp takes for rows that do not divide into blocks of 256.
        var fallback: TensorType {
            switch self {
            case .q2_k, .q3_k: .q4_0
            case .q4_k: .q5_0
            case .q5_k: .q5_1
            case .q6_k: .q8_0
            // For these llama-quantize stops.
            case .f32, .f16, .q8_0, .q5_1, .q5_0, .q4_1, .q4_0: .f16
            }
        }

        /// The type that a matrix of rows of `columns` gets.
        func resolved(columns: Int) -> TensorType {
            if columns % block == 0 { return self }
            return columns % fallback.block == 0 ? fallback : .f16
        }
    }

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        var settings: [PlanExport.TensorSetting] = []
        var notes = MappingNotes()
        for matrix in matrices {
            guard let name = name(of: matrix.shape.tensor) else {
                throw .noPlace(
                    .llamaCpp, matrix.sublayer, "its format has no tensor for '\(matrix.shape.tensor)'")
            }
            let columns = matrix.shape.columns
            let type: TensorType
            if let exact = exact(matrix.scheme), exact.resolved(columns: columns) == exact {
                type = exact
            } else {
                guard nearest else {
                    let reason =
                        exact(matrix.scheme) == nil
                        ? "none of its types is that" : "rows of \(columns) do not divide into blocks of 32"
                    throw .inexpressible(.llamaCpp, matrix.scheme, matrix.sublayer, reason)
                }
                let wanted = nearestType(matrix.scheme)
                type = wanted.resolved(columns: columns)
                notes.add(
                    matrix,
                    type.rawValue
                        + (type == wanted
                            ? "" : " (rows of \(columns) do not divide into blocks of \(wanted.rawValue))"))
            }
            settings.append(.init(tensor: matrix.shape.tensor, name: name, setting: type.rawValue))
        }
        guard settings.contains(where: { !["f16", "f32"].contains($0.setting) }) else {
            throw .nothingToQuantize(.llamaCpp)
        }
        let text = settings.map { "\(anchored($0.name))=\($0.setting)\n" }.joined()
        return PlanExport(text: text, settings: settings, notes: notes.lines)
    }

    /// Encoders of sentences that it converts.
    static let encoders = ["bert", "distilbert", "roberta", "xlm-roberta"]

    /// The matrices that llama.cpp quantizes.
    ///
    /// - Throws: `ExportError` for what it has no place for, or leaves as it is though the plan says
    ///   otherwise.
    static func checked(_ matrices: [PlannedMatrix], modelType: String) throws(ExportError) -> [PlannedMatrix]
    {
        guard encoders.contains(modelType) else { return matrices }
        var kept: [PlannedMatrix] = []
        for matrix in matrices {
            switch matrix.sublayer.kind {
            case .pooler, .head:
                throw .noPlace(
                    .llamaCpp, matrix.sublayer, "it runs BERT and its kin as encoders of sentences")
            case .positions:
                guard matrix.scheme.isFullPrecision else {
                    throw .noPlace(
                        .llamaCpp, matrix.sublayer, "it never quantizes positions; expected fp16 or fp32")
                }
            default: kept.append(matrix)
            }
        }
        return kept
    }

    /// Types that are the scheme itself: integers in groups of 32, with FP16 scales.
    private static func exact(_ scheme: Scheme) -> TensorType? {
        if scheme.isFullPrecision { return scheme == .fp32 ? .f32 : .f16 }
        guard let grid = scheme.family.grid, grid.granularity == .group(32) else { return nil }
        return switch (grid.bits, grid.isSymmetric) {
        case (8, true): .q8_0
        case (5, true): .q5_0
        case (5, false): .q5_1
        case (4, true): .q4_0
        case (4, false): .q4_1
        default: nil
        }
    }

    /// The type of fewest bits that are not fewer; of 32 columns where there is no other, else of 256.
    private static func nearestType(_ scheme: Scheme) -> TensorType {
        switch scheme.wholeBits {
        case ...2: .q2_k
        case 3: .q3_k
        case 4: .q4_k
        case 5: .q5_k
        case 6: .q6_k
        case 7, 8: .q8_0
        default: scheme == .fp32 ? .f32 : .f16
        }
    }

    /// The name of a tensor of a Hugging Face checkpoint in a GGUF file.
    ///
    /// - Source: llama.cpp, `gguf-py/gguf/tensor_mapping.py`.
    static func name(of tensor: String) -> String? {
        var parts = tensor.split(separator: ".").map(String.init)
        if let first = parts.first, encoders.contains(first) { parts.removeFirst() }
        switch parts.joined(separator: ".") {
        case "model.embed_tokens.weight", "embeddings.word_embeddings.weight": return "token_embd.weight"
        case "lm_head.weight": return "output.weight"
        default: break
        }
        guard parts.count > 4, parts.last == "weight", let depth = Int(parts[2]),
            ["model.layers", "encoder.layer", "transformer.layer"].contains(
                parts[0...1].joined(separator: "."))
        else { return nil }
        let kinds = [
            "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
            "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
            "mlp.down_proj": "ffn_down", "attention.self.query": "attn_q", "attention.self.key": "attn_k",
            "attention.self.value": "attn_v", "attention.output.dense": "attn_output",
            "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "attention.q_lin": "attn_q",
            "attention.k_lin": "attn_k", "attention.v_lin": "attn_v", "attention.out_lin": "attn_output",
            "ffn.lin1": "ffn_up", "ffn.lin2": "ffn_down",
        ]
        return kinds[parts[3..<(parts.count - 1)].joined(separator: ".")].map { "blk.\(depth).\($0).weight" }
    }
}
