import BitplanTensors

/// Sees what a forward computes: the inputs of its products, and for a backward all that it needs.
package struct ForwardObserver {
    private let seesProduct: ((String, Matrix) -> Void)?
    private let tape: Tape?

    /// Sees the input of every product: the tensor's name and the activations (tokens, columns).
    package init(products: @escaping (String, Matrix) -> Void) {
        seesProduct = products
        tape = nil
    }

    /// Writes down what a backward needs.
    package init(_ tape: Tape) {
        seesProduct = nil
        self.tape = tape
    }

    /// A product of the tensor `name` has this input.
    func product(_ name: String, input: Matrix) {
        seesProduct?(name, input)
        tape?.inputs[name] = input
    }

    /// A product of the tensor `name` has this output, its bias left out.
    func product(_ name: String, output: Matrix) {
        if tape?.keepsOutputs == true { tape?.outputs[name] = output }
    }

    /// The norm whose weight is called `name` has this input.
    func norm(_ name: String, input: Matrix) { tape?.inputs[name] = input }

    /// A sublayer's way back needs these activations again, which it calls `name`.
    func keep(_ name: String, _ activations: Matrix) { tape?.kept[name] = activations }
}

/// What the forward of one batch leaves for its backward, by the names of tensors.
package final class Tape {
    /// Inputs of products and norms, by the name of the weight.
    fileprivate(set) var inputs: [String: Matrix] = [:]
    /// Outputs of products without their biases, where they are asked for.
    fileprivate(set) var outputs: [String: Matrix] = [:]
    /// What sublayers keep beside: queries, keys and values, what goes into an activation function.
    fileprivate(set) var kept: [String: Matrix] = [:]
    /// Whether the outputs of products are wanted: gradients of scales of rows need no more.
    let keepsOutputs: Bool

    /// An empty tape.
    package init(keepsOutputs: Bool = false) { self.keepsOutputs = keepsOutputs }

    /// The input of the product or norm of a weight; a forward without it was not written down.
    func input(_ name: String) -> Matrix { Self.required(inputs[name], name) }

    /// What a sublayer kept as `name`.
    func kept(_ name: String) -> Matrix { Self.required(kept[name], name) }

    private static func required(_ matrix: Matrix?, _ name: String) -> Matrix {
        guard let matrix else { preconditionFailure("the tape has nothing of '\(name)'") }
        return matrix
    }
}

/// Takes the gradients of a network's weights as a backward comes by them.
///
/// A backward computes the gradients of activations; what is made of the gradient of a matrix is the sink's
/// affair: all of `dY^T X`, or no more than what scales of rows need.
package protocol GradientSink: AnyObject {
    /// The matrix `tensor` was in a product `Y = X W^T`.
    func product(_ tensor: String, _ product: ProductGradient)

    /// Rows of the matrix `tensor` were looked up: row `rows[t]` has the gradient `gradient[t]`. A row may
    /// occur several times.
    func lookup(_ tensor: String, rows: [Int], _ gradient: Matrix)

    /// The gradient of the vector `name`.
    func vector(_ name: String, _ gradient: [Float])
}

/// A product `Y = X W^T` and its gradients.
package struct ProductGradient {
    /// X as the weights meet it, (tokens, columns).
    package let input: Matrix
    /// Y, (tokens, rows); nil where the tape does not keep it.
    package let output: Matrix?
    /// dY, (tokens, rows).
    package let outputGradient: Matrix
    /// This product's part of dX, (tokens, columns).
    package let inputGradient: Matrix
}
