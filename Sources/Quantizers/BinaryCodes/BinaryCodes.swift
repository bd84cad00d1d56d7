import BitplanTensors
import Foundation
import PlanFormat

/// Binary codes: each row, or each group of columns in a row, is `sum_i alpha_i b_i` with `b_i` in {-1, +1}.
///
/// Parts: `signs` U8 (bits, rows, ceil(columns / 8)); `alphas` F32 or F16 (rows, groups, bits).
/// - Source: Guo et al. 2017; Xu et al. 2018; Chung et al. 2020, section 3.1.
extension Scheme.BinaryCodes: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        let (planes, scales) = try encodedPlanes(weights, fit: fit, context: context)
        let (rows, columns) = (weights.rows, weights.columns)
        return PackedMatrix(
            scheme: scheme, rows: rows, columns: columns,
            parts: [
                "signs": PackedTensor(
                    type: .uint8, shape: [bits, rows, SignPlanes.rowBytes(columns: columns)], bytes: planes),
                "alphas": PackedTensor(
                    shape: [rows, groups(columns: columns), bits], floats: scales, as: alphas),
            ])
    }

    /// Planes in plain order, and alphas (rows, groups, bits).
    func encodedPlanes(
        _ weights: Matrix, fit: CodeFit, context: CalibrationContext
    ) throws(QuantizationError) -> (planes: Data, alphas: [Float]) {
        if alphas == .fp16 { try weights.checkHalf() }
        guard fit.isCalibrated else { return rowByRow(weights, fit: fit, context: context) }
        let fitted = try Calibrated.binaryCodes(self, weights, context: context)
        let planes = SignPlanes.packed(
            fitted.codes, planes: bits, rows: weights.rows, columns: weights.columns)
        return (planes, fitted.alphas)
    }

    /// Planes and alphas; only one row's codes are held at a time.
    private func rowByRow(
        _ weights: Matrix, fit: CodeFit, context: CalibrationContext
    ) -> (planes: Data, alphas: [Float]) {
        let rowBytes = SignPlanes.rowBytes(columns: weights.columns)
        let stride = weights.rows * rowBytes
        var planes = Data(count: bits * stride)
        let alphas = planes.withUnsafeMutableBytes { planes -> [Float] in
            let planes = planes.baseAddress?.assumingMemoryBound(to: UInt8.self)
            return eachRow(weights, fit: fit, context: context) { row, codes in
                guard let planes else { return }
                SignPlanes.pack(
                    codes, columns: weights.columns, planes: bits, into: planes + row * rowBytes,
                    planeStride: stride)
            }
        }
        return (planes, alphas)
    }

    /// The code of each weight, (rows, columns), and alphas (rows, groups, bits).
    func codes(
        _ weights: Matrix, fit: CodeFit, context: CalibrationContext
    ) -> (codes: [UInt8], alphas: [Float]) {
        var codes = [UInt8](repeating: 0, count: weights.storage.count)
        let alphas = codes.withUnsafeMutableBufferPointer { target -> [Float] in
            let target = target.baseAddress
            return eachRow(weights, fit: fit, context: context) { row, codes in
                (target.map { $0 + row * weights.columns })?.update(from: codes, count: weights.columns)
            }
        }
        return (codes, alphas)
    }

    /// Fits row after row, rows in parallel, and hands each row's codes to `body`; returns the alphas.
    private func eachRow(
        _ weights: Matrix, fit: CodeFit, context: CalibrationContext,
        _ body: (Int, UnsafePointer<UInt8>) -> Void
    ) -> [Float] {
        let columns = weights.columns
        let width = min(group ?? max(1, columns), max(1, columns))
        let groups = groups(columns: columns)
        let type = alphas
        var alphas = [Float](repeating: 0, count: weights.rows * groups * bits)
        let rows = weights.rows
        alphas.withUnsafeMutableBufferPointer { alphas in
            weights.storage.withUnsafeBufferPointer { weights in
                guard rows > 0, columns > 0, let weights = weights.baseAddress,
                    let alphas = alphas.baseAddress
                else { return }
                forEachRun(rows: rows, threads: context.threads) { run in
                    let encoder = VectorEncoder(bits: bits, width: width, type: type, fit: fit)
                    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columns) { codes in
                        guard let codes = codes.baseAddress else { return }
                        for row in run {
                            for index in 0..<groups {
                                let start = index * width
                                encoder.encode(
                                    weights + row * columns + start, count: min(width, columns - start),
                                    codes: codes + start, alphas: alphas + (row * groups + index) * bits)
                            }
                            body(row, codes)
                        }
                    }
                }
            }
        }
        return alphas
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let storage = decoded(
            signs: try packed.part("signs"), alphas: try packed.part("alphas").floats, rows: packed.rows,
            columns: packed.columns)
        return Matrix(rows: packed.rows, columns: packed.columns, storage: storage)
    }

    /// The numbers of a block of rows, row-major.
    func decoded(signs: PackedTensor, alphas: [Float], rows: Int, columns: Int) -> [Float] {
        let width = group ?? max(1, columns)
        let groups = groups(columns: columns)
        let rowBytes = SignPlanes.rowBytes(columns: columns)
        let planes = signs.bytes
        return [Float](unsafeUninitializedCapacity: rows * columns) { target, count in
            count = rows * columns
            planes.withUnsafeBytes { planes in
                alphas.withUnsafeBufferPointer { alphas in
                    guard count > 0, let target = target.baseAddress, let alphas = alphas.baseAddress,
                        let planes = planes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    else { return }
                    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columns) { codes in
                        withUnsafeTemporaryAllocation(of: Float.self, capacity: 1 << bits) { values in
                            guard let codes = codes.baseAddress, let values = values.baseAddress else {
                                return
                            }
                            for row in 0..<rows {
                                SignPlanes.unpack(
                                    planes + row * rowBytes, planeStride: rows * rowBytes, columns: columns,
                                    planes: bits, into: codes)
                                for index in 0..<groups {
                                    codeValues(
                                        alphas + (row * groups + index) * bits, bits: bits, into: values)
                                    let end = min(columns, (index + 1) * width)
                                    for column in index * width..<end {
                                        target[row * columns + column] = values[Int(codes[column])]
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
