import PlanFormat

/// GPTQModel's `QuantizeConfig` as JSON. Of the rules under `dynamic` the earliest whose pattern matches from
/// the start of a module's name decides; `-:` skips the module. Every module has a rule of its own, anchored,
/// so their order does not matter.
///
/// - Source: GPTQModel 7.7, `quantization/config.py` (`_resolve_dynamic_override`).
enum GPTQModel {
    static let capabilities = IntegerCapabilities(
        consumer: .gptqmodel, bits: Array(2...8), groups: [16, 32, 64, 128, 256, 512, 1024], hasRows: true,
        hasTensors: false, hasSymmetric: true, hasAsymmetric: true, hasActivations: false,
        hasEmbeddings: false)

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        let choices = try IntegerChoices(matrices, capabilities, nearest: nearest)
        let linear = choices.entries.filter { !$0.matrix.isEmbedding }
        let rules = linear.map { entry -> (key: String, value: JSONText) in
            guard let format = entry.format else {
                return ("-:" + anchored(entry.matrix.module), .object([]))
            }
            return (
                "+:" + anchored(entry.matrix.module),
                .object(fields(format) + [("desc_act", .bool(false))])
            )
        }
        let base = choices.mostFrequent
        // The head is left out unless it is asked for, whatever the rules say.
        let hasHead = linear.contains { $0.matrix.module == "lm_head" && $0.format != nil }
        let text = JSONText.object(
            fields(base) + [
                ("desc_act", .bool(false)), ("lm_head", .bool(hasHead)), ("dynamic", .object(rules)),
            ]
        ).text
        return choices.export(text)
    }

    private static func fields(_ format: IntegerFormat) -> [(key: String, value: JSONText)] {
        [
            ("bits", .number(format.bits)), ("group_size", .number(format.groupSize)),
            ("sym", .bool(format.isSymmetric)),
        ]
    }
}
