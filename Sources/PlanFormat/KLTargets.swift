/// The outputs along which KL compares two models (teacher forcing): position by position, both are given the
/// outputs before it.
public enum KLTargets: String, Codable, Hashable, Sendable, CaseIterable {
    /// The references that stand in the data.
    case references
    /// The full-precision model's own greedy translations.
    case own
}
