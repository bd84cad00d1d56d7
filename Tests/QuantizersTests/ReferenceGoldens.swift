import BitplanTensors
import Foundation
import PlanFormat
import TestSupport
import Testing

/// A case that the independent NumPy reference computed: input, method, arguments and output.
struct ReferenceGolden: Decodable, CustomStringConvertible {
    struct Arguments: Decodable {
        var bits: Int?
        var granularity: String?
        var group: Int?
        var double_quant: Bool?
        var dq_mode: String?
        var K: Int?
        var block: Int?
        var codebook: String?
    }

    let input: String
    let output: String
    let method: String
    let args: Arguments
    let sse: Double

    var description: String { output }

    static let folder = TestFiles.shared.appending(path: "goldens/quantizers")

    /// All cases of `method`; none where the shared material is missing.
    static func all(_ method: String) -> [ReferenceGolden] {
        guard let data = try? Data(contentsOf: folder.appending(path: "manifest.json")),
            let cases = try? JSONDecoder().decode([ReferenceGolden].self, from: data)
        else { return [] }
        return cases.filter { $0.method == method }
    }

    func weights() throws -> Matrix { try NumpyFile.read(Self.folder.appending(path: input)) }
    func expected() throws -> Matrix { try NumpyFile.read(Self.folder.appending(path: output)) }
}

/// The squared error of each row.
func rowErrors(_ weights: Matrix, _ approximation: Matrix) -> [Double] {
    (0..<weights.rows).map { row in
        zip(weights[row: row], approximation[row: row]).reduce(0) {
            $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1))
        }
    }
}

/// The sum of squares of each row.
func rowSquares(_ weights: Matrix) -> [Double] {
    rowErrors(weights, Matrix(rows: weights.rows, columns: weights.columns))
}

/// The largest difference of two matrices.
func largestDifference(_ left: Matrix, _ right: Matrix) -> Float {
    zip(left.storage, right.storage).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
