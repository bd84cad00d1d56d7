import PlanFormat

/// `layer_config` of auto-round: an entry for every module, by its exact name; 16 bits leave it as it is.
///
/// - Source: auto-round 0.16, `schemes.py`, `compressors/layer_config_resolver.py`.
enum AutoRound {
    static let capabilities = IntegerCapabilities(
        consumer: .autoRound, bits: Array(2...8), groups: nil, hasRows: true, hasTensors: true,
        hasSymmetric: true, hasAsymmetric: true, hasActivations: true, hasEmbeddings: false)

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        let choices = try IntegerChoices(matrices, capabilities, nearest: nearest)
        let layers = choices.entries.filter { !$0.matrix.isEmbedding }.map {
            entry -> (key: String, value: JSONText) in
            (entry.matrix.module, .object(fields(entry.format)))
        }
        return choices.export(JSONText.object(layers).text)
    }

    private static func fields(_ format: IntegerFormat?) -> [(key: String, value: JSONText)] {
        guard let format else { return [("bits", .number(16)), ("data_type", .string("float"))] }
        // 0 stands for the whole tensor.
        let size = format.group == .tensor ? 0 : format.groupSize
        let weights: [(key: String, value: JSONText)] = [
            ("bits", .number(format.bits)), ("group_size", .number(size)), ("sym", .bool(format.isSymmetric)),
            ("data_type", .string("int")),
        ]
        guard let bits = format.activationBits else { return weights }
        return weights + [
            ("act_bits", .number(bits)), ("act_group_size", .number(-1)), ("act_sym", .bool(true)),
            ("act_data_type", .string("int")), ("act_dynamic", .bool(true)),
        ]
    }
}
