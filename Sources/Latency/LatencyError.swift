import PlanFormat

/// Why seconds cannot be predicted; the line reads on from the name of the profile's file.
package enum LatencyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The profile was not measured with a scheme.
    case noKernel(Scheme)
    /// The profile has no overheads of a family.
    case noFamily(String)
    /// The layout does not say what is run.
    case noWork
    /// The profile's version is another.
    case otherSchema(Int)
    /// A number that no measurement gives.
    case badPoint(Scheme, String)

    /// One line: what is missing and how to get it.
    package var description: String {
        switch self {
        case .noKernel(let scheme):
            "has no kernel times of \(scheme): expected a profile that was measured with it"
        case .noFamily(let type): "has no overheads of \(type) models: measure it again"
        case .noWork:
            "cannot be applied: the table does not say when its sublayers are run; sweep the model again"
        case .otherSchema(let version):
            "schemaVersion \(version) is not supported, expected \(LatencyProfile.currentSchema)"
        case .badPoint(let scheme, let what): "kernel times of \(scheme): \(what)"
        }
    }
}
