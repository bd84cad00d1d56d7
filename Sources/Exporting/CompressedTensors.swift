import PlanFormat

/// `quantization_config` of compressed-tensors: a group of modules, named in full, for every format; what is
/// in none of them or under `ignore` stays as it is. Unknown keys are refused by the consumer.
///
/// - Source: compressed-tensors 0.20, `quantization/quant_config.py`, `utils/match.py`.
enum CompressedTensors {
    static let capabilities = IntegerCapabilities(
        consumer: .compressedTensors, bits: Array(1...8), groups: nil, hasRows: true, hasTensors: true,
        hasSymmetric: true, hasAsymmetric: true, hasActivations: true, hasEmbeddings: false)

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        let choices = try IntegerChoices(matrices, capabilities, nearest: nearest)
        let formats = choices.formats
        let groups = formats.enumerated().map { index, format -> (key: String, value: JSONText) in
            let targets = choices.entries.filter { $0.format == format }.map {
                JSONText.string($0.matrix.module)
            }
            var group: [(key: String, value: JSONText)] = [
                ("targets", .array(targets)), ("weights", .object(weights(format))),
            ]
            if let bits = format.activationBits {
                group.append(("input_activations", .object(inputs(bits: bits))))
            }
            group.append(("format", .string(storage(format))))
            return ("group_\(index)", .object(group))
        }
        let storages = Set(formats.map(storage))
        let ignored = choices.entries.filter { $0.format == nil && !$0.matrix.isEmbedding }
        let text = JSONText.object([
            (
                "quantization_config",
                .object([
                    ("quant_method", .string("compressed-tensors")),
                    ("format", .string(storages.count == 1 ? storage(formats[0]) : "mixed-precision")),
                    ("config_groups", .object(groups)),
                    ("ignore", .array(ignored.map { .string($0.matrix.module) })),
                ])
            )
        ]).text
        return choices.export(text)
    }

    private static func weights(_ format: IntegerFormat) -> [(key: String, value: JSONText)] {
        let strategy: [(key: String, value: JSONText)] =
            switch format.group {
            case .tensor: [("strategy", .string("tensor"))]
            case .row: [("strategy", .string("channel"))]
            case .group(let columns): [("strategy", .string("group")), ("group_size", .number(columns))]
            }
        return [
            ("num_bits", .number(format.bits)), ("type", .string("int")),
            ("symmetric", .bool(format.isSymmetric)),
        ] + strategy + [("dynamic", .bool(false))]
    }

    private static func inputs(bits: Int) -> [(key: String, value: JSONText)] {
        [
            ("num_bits", .number(bits)), ("type", .string("int")), ("symmetric", .bool(true)),
            ("strategy", .string("token")), ("dynamic", .bool(true)),
        ]
    }

    private static func storage(_ format: IntegerFormat) -> String {
        format.activationBits == nil ? "pack-quantized" : "int-quantized"
    }
}
