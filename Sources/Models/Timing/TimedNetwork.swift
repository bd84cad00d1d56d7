import PlanFormat

/// A network whose answers can be timed: it says how much work an item is, and does work of any size.
package protocol TimedNetwork: Sendable {
    /// One tokenized item of the data.
    associatedtype Example: Sendable

    /// Answers one item alone, greedily, as `run` answers a line.
    ///
    /// - Parameter maximumLength: the most tokens that are generated; the model's own limit where nil.
    /// - Returns: how much work it was.
    func answer(_ example: Example, maximumLength: Int?) -> Workload

    /// The work of answering an item as its right answer does.
    func workload(of example: Example) -> Workload

    /// Does the work of an item of this size, whatever its tokens: for timing.
    func perform(_ workload: Workload)
}

/// A family whose models' time outside of products can be measured without a model at hand.
package protocol TimedFamily: Sendable {
    /// Shapes of such models that differ in all that their time may depend on.
    static func specimens() throws -> [Specimen]
}
