import PlanFormat

/// `config.json` of MLX: under `quantization` the setting of most modules, and one entry for every module, by
/// its exact path; `false` leaves it as it is. Each entry has both sizes, which mlx-swift needs.
///
/// - Source: mlx-lm 0.32, `utils.py` (`class_predicate` of `load_model`).
enum MLX {
    static let capabilities = IntegerCapabilities(
        consumer: .mlx, bits: [2, 3, 4, 5, 6, 8], groups: [32, 64, 128], hasRows: false, hasTensors: false,
        hasSymmetric: false, hasAsymmetric: true, hasActivations: false, hasEmbeddings: true)

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        let choices = try IntegerChoices(matrices, capabilities, nearest: nearest)
        let modules = choices.entries.map { entry -> (key: String, value: JSONText) in
            (entry.matrix.module, entry.format.map { .object(fields($0)) } ?? .bool(false))
        }
        let quantization = fields(choices.mostFrequent) + [("mode", .string("affine"))] + modules
        return choices.export(JSONText.object([("quantization", .object(quantization))]).text)
    }

    private static func fields(_ format: IntegerFormat) -> [(key: String, value: JSONText)] {
        [("group_size", .number(format.groupSize)), ("bits", .number(format.bits))]
    }
}
