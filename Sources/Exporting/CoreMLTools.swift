import PlanFormat

/// `OptimizationConfig.from_yaml` of coremltools: an entry for every weight, by the name that it has in a
/// converted program; `null` leaves it as it is.
///
/// `ct.convert` names a weight as torch does, with underscores for dots, and appends `_to_fp16` at its
/// default precision. Weights are linear integers, or palettes of 2^k values per row for bits that integers
/// there do not have; both need the iOS 18 target.
/// - Source: coremltools 9, `optimize/coreml/_config.py`.
enum CoreMLTools {
    private enum Setting: Hashable {
        case full
        case linear(bits: Int, isSymmetric: Bool, Scheme.Granularity)
        /// 2^`bits` values for every `rows` rows.
        case palette(bits: Int, rows: Int)

        var description: String {
            switch self {
            case .full: "full precision"
            case .linear(let bits, let isSymmetric, let group):
                IntegerFormat(bits: bits, group: group, isSymmetric: isSymmetric).description
            case .palette(let bits, let rows):
                "palette of \(bitsText(bits)) per \(rows == 1 ? "row" : "\(rows) rows")"
            }
        }
    }

    private static let capabilities = IntegerCapabilities(
        consumer: .coremltools, bits: [4, 8], groups: nil, hasRows: true, hasTensors: true,
        hasSymmetric: true,
        hasAsymmetric: true, hasActivations: false, hasEmbeddings: true)

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        var settings: [(matrix: PlannedMatrix, setting: Setting)] = []
        var notes = MappingNotes()
        for matrix in matrices {
            if nearest, let palette = palette(matrix.scheme) {
                notes.add(matrix, palette.description)
                settings.append((matrix, palette))
                continue
            }
            let answer = try capabilities.answer(matrix, nearest: nearest)
            let setting = answer.format.map {
                Setting.linear(bits: $0.bits, isSymmetric: $0.isSymmetric, $0.group)
            }
            if !answer.isExact { notes.add(matrix, (setting ?? .full).description) }
            settings.append((matrix, setting ?? .full))
        }
        guard settings.contains(where: { $0.setting != .full }) else {
            throw .nothingToQuantize(.coremltools)
        }
        var text = "config_type: OpLinearQuantizerConfig\nop_name_configs:\n"
        for (matrix, setting) in settings { text += "  \(name(matrix)):" + yaml(setting) }
        return PlanExport(
            text: text,
            settings: settings.map {
                .init(tensor: $0.matrix.shape.tensor, name: name($0.matrix), setting: $0.setting.description)
            }, notes: notes.lines)
    }

    /// Palettes for what is no grid of 4 or 8 bits.
    private static func palette(_ scheme: Scheme) -> Setting? {
        let isLinear = scheme.family.grid.map { capabilities.bits.contains($0.bits) } ?? false
        if scheme.isFullPrecision || isLinear { return nil }
        return switch scheme.wholeBits {
        case ...4: .palette(bits: scheme.wholeBits, rows: 1)
        // A table of 64 values for every row would weigh as much as the codes.
        case 5, 6: .palette(bits: 6, rows: 16)
        default: nil
        }
    }

    private static func name(_ matrix: PlannedMatrix) -> String {
        matrix.shape.tensor.split(separator: ".", omittingEmptySubsequences: false).joined(separator: "_")
            + "_to_fp16"
    }

    private static func yaml(_ setting: Setting) -> String {
        var fields: [(String, String)]
        switch setting {
        case .full: return " null\n"
        case .linear(let bits, let isSymmetric, let group):
            fields = [
                ("config_type", "OpLinearQuantizerConfig"),
                ("mode", isSymmetric ? "linear_symmetric" : "linear"),
                ("dtype", (isSymmetric ? "int" : "uint") + "\(bits)"),
            ]
            switch group {
            case .tensor: fields.append(("granularity", "per_tensor"))
            case .row: fields.append(("granularity", "per_channel"))
            case .group(let columns): fields += [("granularity", "per_block"), ("block_size", "\(columns)")]
            }
        case .palette(let bits, let rows):
            fields = [
                ("config_type", "OpPalettizerConfig"), ("mode", "kmeans"), ("nbits", "\(bits)"),
                ("granularity", "per_grouped_channel"), ("group_size", "\(rows)"),
            ]
        }
        // By default weights of at most 2048 numbers are skipped without a word.
        fields.append(("weight_threshold", "0"))
        return "\n" + fields.map { "    \($0): \($1)\n" }.joined()
    }
}
