import PlanFormat
import Tensors

/// Two linear layers with a non-linearity between them.
struct FeedForward: Sendable {
    let inner: Linear
    let outer: Linear
    let activation: ActivationFunction

    /// Takes `<name>.fc1` and `<name>.fc2`.
    init(_ name: String, activation: ActivationFunction, _ weights: WeightTable) throws(MissingWeight) {
        inner = try Linear(name + ".fc1", weights)
        outer = try Linear(name + ".fc2", weights)
        self.activation = activation
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
