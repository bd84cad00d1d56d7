import PlanFormat

/// Why a plan cannot be written in another quantizer's format; the line reads on from the name of the plan's
/// file.
package enum ExportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The plan does not fit the model.
    case plan(PlanError)
    /// The consumer has no models of this type.
    case unknownModel(Consumer, String, known: [String])
    /// The consumer has nothing that is what the plan says.
    case inexpressible(Consumer, Scheme, SublayerName, String)
    /// The consumer gives all depths the same, the plan does not.
    case differsByDepth(Consumer, tag: String, SublayerName, String, SublayerName, String)
    /// The consumer has no place for a sublayer of the model.
    case noPlace(Consumer, SublayerName, String)
    /// Everything stays in full precision.
    case nothingToQuantize(Consumer)

    /// One line.
    package var description: String {
        switch self {
        case .plan(let error): error.description
        case .unknownModel(let consumer, let type, let known):
            "is for a model of type '\(type)', which \(consumer.rawValue) does not know: expected \(known.joined(separator: " or "))"
        case .inexpressible(let consumer, let scheme, let sublayer, let reason):
            "gives sublayer '\(sublayer)' \(scheme), which \(consumer.rawValue) cannot express (\(reason))"
        case .differsByDepth(let consumer, let tag, let one, let setting, let other, let otherSetting):
            "differs by depth, which \(consumer.rawValue) cannot express: '\(tag)' is \(setting) in '\(one)' and \(otherSetting) in '\(other)'"
        case .noPlace(let consumer, let sublayer, let reason):
            "has sublayer '\(sublayer)', for which \(consumer.rawValue) has no place: \(reason)"
        case .nothingToQuantize(let consumer):
            "leaves everything in full precision: there is nothing to export to \(consumer.rawValue)"
        }
    }
}
