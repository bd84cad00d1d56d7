import PlanFormat

/// The arguments of `HqqConfig` of transformers. Its `dynamic_config` knows modules by their names without
/// `model`, `layers` and numbers: all depths of a kind get the same, so a plan that differs by depth is
/// refused, or collapsed to the most bits.
///
/// - Source: transformers 5, `integrations/hqq.py` (`name_to_linear_tag`); hqq 0.2.8, `core/quantize.py`.
enum HQQ {
    static let capabilities = IntegerCapabilities(
        consumer: .hqq, bits: [1, 2, 3, 4, 5, 6, 8], groups: nil, hasRows: true, hasTensors: false,
        hasSymmetric: false, hasAsymmetric: true, hasActivations: false, hasEmbeddings: false)

    /// The name by which HQQ knows a module.
    static func tag(_ module: String) -> String {
        module.split(separator: ".", omittingEmptySubsequences: false)
            .filter { !["model", "layers"].contains($0) && !($0.allSatisfy(\.isNumber) && !$0.isEmpty) }
            .joined(separator: ".")
    }

    static func export(_ matrices: [PlannedMatrix], nearest: Bool) throws(ExportError) -> PlanExport {
        let choices = try IntegerChoices(matrices, capabilities, nearest: nearest)
        var tags: [String] = []
        var kinds: [String: IntegerChoices.Entry] = [:]
        var collapsed: [String] = []
        for entry in choices.entries where !entry.matrix.isEmbedding {
            let tag = tag(entry.matrix.module)
            guard let other = kinds[tag] else {
                tags.append(tag)
                kinds[tag] = entry
                continue
            }
            guard other.format != entry.format else { continue }
            guard nearest else {
                throw .differsByDepth(
                    .hqq, tag: tag, other.matrix.sublayer, text(other.format), entry.matrix.sublayer,
                    text(entry.format))
            }
            if !collapsed.contains(tag) { collapsed.append(tag) }
            if isMore(entry.format, than: other.format) { kinds[tag] = entry }
        }
        let config = tags.compactMap { tag -> (key: String, value: JSONText)? in
            guard let format = kinds[tag]?.format else { return nil }
            let size: JSONText = format.group == .row ? .null : .number(format.groupSize)
            return (
                tag, .object([("nbits", .number(format.bits)), ("group_size", size), ("axis", .number(1))])
            )
        }
        // With none of its tags in the list HQQ would give all modules the same.
        guard !config.isEmpty else { throw .nothingToQuantize(.hqq) }
        // By default the head is skipped, whatever its entry says.
        let hasHead = kinds["lm_head"]?.format != nil
        let skipped: [JSONText] = hasHead ? [] : [.string("lm_head")]
        let file = JSONText.object([("dynamic_config", .object(config)), ("skip_modules", .array(skipped))])
            .text
        let settings = choices.entries.map { entry in
            let tag = tag(entry.matrix.module)
            return PlanExport.TensorSetting(
                tensor: entry.matrix.shape.tensor, name: tag,
                setting: entry.matrix.isEmbedding ? text(nil) : text(kinds[tag]?.format))
        }
        return PlanExport(
            text: file, settings: settings,
            notes: choices.export("").notes
                + collapsed.map { "'\($0)' differs by depth and becomes \(text(kinds[$0]?.format)) in all" })
    }

    private static func text(_ format: IntegerFormat?) -> String { format?.description ?? "full precision" }

    /// More bits, then smaller groups; full precision is the most.
    private static func isMore(_ one: IntegerFormat?, than other: IntegerFormat?) -> Bool {
        guard let other else { return false }
        guard let one else { return true }
        func columns(_ format: IntegerFormat) -> Int { format.group == .row ? .max : format.groupSize }
        return (one.bits, -(columns(one) / 2)) > (other.bits, -(columns(other) / 2))
    }
}
