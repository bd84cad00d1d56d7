import BitplanTensors
import PlanFormat

/// Two linear layers with a non-linearity between them.
struct FeedForward: Sendable {
    let inner: Linear
    let outer: Linear
    let activation: ActivationFunction

    /// Takes the linear layers called `inner` and `outer`.
    init(
        inner: String, outer: String, activation: ActivationFunction, _ weights: WeightTable
    ) throws(MissingWeight) {
        self.inner = try Linear(inner, weights)
        self.outer = try Linear(outer, weights)
        self.activation = activation
    }

    /// Takes `<name>.fc1` and `<name>.fc2`.
    init(_ name: String, activation: ActivationFunction, _ weights: WeightTable) throws(MissingWeight) {
        try self.init(inner: name + ".fc1", outer: name + ".fc2", activation: activation, weights)
    }

    /// The matrices of a feed-forward called `name`, for a layout.
    static func shapes(_ name: String, width: Int, inner: Int) -> [MatrixShape] {
        [
            MatrixShape(tensor: name + ".fc1.weight", rows: inner, columns: width),
            MatrixShape(tensor: name + ".fc2.weight", rows: width, columns: inner),
        ]
    }

    func callAsFunction(_ x: Matrix, observing: ((String, Matrix) -> Void)? = nil) -> Matrix {
        var hidden = inner(x, observing: observing)
        activation.apply(&hidden)
        return outer(hidden, observing: observing)
    }
}
