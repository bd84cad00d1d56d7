import BitplanKernels
import BitplanTensors
import PlanFormat

/// The values that parts may have, where they come from elsewhere than an encoder.
extension Quantizer {
    /// Checks a packed matrix whose parts were not written here: types, shapes, finite numbers, codes inside
    /// their range, zeros behind the last code.
    ///
    /// - Throws: `PackedMatrixError` at the first thing that is wrong.
    package static func check(_ packed: PackedMatrix) throws(PackedMatrixError) {
        // Classes and indices are checked where they are read.
        _ = try decode(packed)
        for part in packed.scheme.parts(rows: packed.rows, columns: packed.columns) {
            let tensor = try packed.part(part.name)
            if let index = tensor.floats.firstIndex(where: { !$0.isFinite }) {
                throw packed.bad(part.name, index, "\(tensor.floats[index]), expected a finite number")
            }
        }
        if let family = packed.scheme.family as? any BoundedScheme { try family.checkValues(packed) }
        // A round trip keeps every code, and writes zeros behind the last.
        guard let again = try? trainable(packed).packed() else { return }
        for (name, part) in packed.parts.sorted(by: { $0.key < $1.key }) where part.type == .uint8 {
            guard let written = again.parts[name], written != part else { continue }
            let index = zip(part.bytes, written.bytes).enumerated().first { $1.0 != $1.1 }?.offset ?? 0
            throw packed.bad(name, index, "bits behind the last code, expected zeros")
        }
    }
}

/// A family of schemes whose stored numbers have bounds beside those of their types.
protocol BoundedScheme: SchemeFamily {
    /// Checks parts of the right types and shapes, in stored order.
    func checkValues(_ packed: PackedMatrix) throws(PackedMatrixError)
}

extension Scheme.Integers: BoundedScheme {
    func checkValues(_ packed: PackedMatrix) throws(PackedMatrixError) {
        let scales = try packed.part("scales").floats
        if let index = scales.firstIndex(where: { $0 <= 0 }) {
            throw packed.bad("scales", index, "\(scales[index]), expected more than 0")
        }
        guard symmetric else {
            let zeros = try packed.part("zeroPoints").floats
            guard let index = zeros.firstIndex(where: { $0 != $0.rounded() }) else { return }
            throw packed.bad("zeroPoints", index, "\(zeros[index]), expected a whole number")
        }
        let codes = DenseBits.unpackedRows(
            try packed.inPlainOrder().part("codes").bytes, rows: packed.rows, columns: packed.columns,
            bits: bits)
        if let index = codes.firstIndex(of: 0) {
            throw packed.bad("codes", index, "0, expected 1 to \(1 << bits - 1)")
        }
    }
}

extension Scheme.W8A8: BoundedScheme {
    func checkValues(_ packed: PackedMatrix) throws(PackedMatrixError) {
        let codes = try packed.inPlainOrder().part("codes").bytes
        if let index = codes.firstIndex(of: 0x80) {
            throw packed.bad("codes", index - codes.startIndex, "-128, expected -127 to 127")
        }
        let scales = try packed.part("scales").floats
        if let index = scales.firstIndex(where: { $0 <= 0 }) {
            throw packed.bad("scales", index, "\(scales[index]), expected more than 0")
        }
    }
}

extension Scheme.MinMaxIndex: BoundedScheme {
    func checkValues(_ packed: PackedMatrix) throws(PackedMatrixError) {
        let range = try packed.part("range").floats
        guard range[0] <= range[1] else {
            throw packed.bad("range", 1, "a maximum of \(range[1]) below the minimum, \(range[0])")
        }
    }
}

extension PackedMatrix {
    /// An error about a number of a part.
    fileprivate func bad(_ part: String, _ index: Int, _ message: String) -> PackedMatrixError {
        .badValue(scheme: scheme, name: part, index: index, message: message)
    }
}
