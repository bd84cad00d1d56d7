import BitplanTensors
import Foundation
import PlanFormat

/// NormalFloat 4: blocks of consecutive weights (row-major, across rows) with one absolute maximum, nearest
/// of 16 levels.
///
/// Parts: `codes` U8 (ceil(weights / 2)), even weights in the low half of a byte; `scales` F32 (blocks). With
/// double quantization the scales less their mean are 8-bit by blocks of 256: `scales` I8 (blocks),
/// `scaleScales` F32 (ceil(blocks / 256)), `scaleMean` F32 (1); a scale is `scaleScale * code / 127 +
/// scaleMean`. Codes are chosen with the exact scale, as bitsandbytes does.
/// - Source: QLoRA (Dettmers et al. 2023), section 3 and appendix E.
extension Scheme.NormalFloat: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        var scales = blockScales(weights)
        var codes = nearestCodes(weights) { scales[$0] }
        if fit.isCalibrated {
            (scales, codes) = try Calibrated.normalFloat(
                self, weights, scales: scales, codes: codes, context: context)
        }
        return packed(codes: codes, scales: scales, rows: weights.rows, columns: weights.columns)
    }

    /// The code of each weight, given the scale of each block; a block of scale 0 takes level 0.
    func nearestCodes(_ weights: Matrix, scale: (Int) -> Float) -> [UInt8] {
        var codes = [UInt8](repeating: 7, count: weights.storage.count)
        let middles = zip(NormalFloatLevels.values, NormalFloatLevels.values.dropFirst()).map {
            ($0 + $1) / 2
        }
        middles.withUnsafeBufferPointer { middles in
            guard let middles = middles.baseAddress else { return }
            for (index, weight) in weights.storage.enumerated() {
                let scale = scale(index / block)
                if scale > 0 { codes[index] = Self.code(Double(weight) / Double(scale), middles) }
            }
        }
        return codes
    }

    /// The nearest level's index; a number in the middle takes the lower.
    @inline(__always)
    private static func code(_ ratio: Double, _ middles: UnsafePointer<Double>) -> UInt8 {
        var code = 0
        for step in [8, 4, 2, 1] where middles[code + step - 1] < ratio { code += step }
        return UInt8(code)
    }

    /// The largest absolute value of each block.
    private func blockScales(_ weights: Matrix) -> [Float] {
        stride(from: 0, to: weights.storage.count, by: block).map { start in
            weights.storage[start..<min(start + block, weights.storage.count)].reduce(0) { max($0, abs($1)) }
        }
    }

    func packed(codes: [UInt8], scales: [Float], rows: Int, columns: Int) -> PackedMatrix {
        let bytes = DenseBits.packedRows(codes, rows: 1, columns: codes.count, bits: 4)
        var parts = ["codes": PackedTensor(type: .uint8, shape: [bytes.count], bytes: bytes)]
        if doubleQuantization {
            let quantized = DoubleQuantizedScales(scales)
            parts["scales"] = PackedTensor(
                type: .int8, shape: [scales.count], bytes: quantized.codes.withUnsafeBytes { Data($0) })
            parts["scaleScales"] = PackedTensor(shape: [quantized.scales.count], floats: quantized.scales)
            parts["scaleMean"] = PackedTensor(shape: [1], floats: [quantized.mean])
        } else {
            parts["scales"] = PackedTensor(shape: [scales.count], floats: scales)
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts)
    }

    /// The scale of each block, as a packed matrix has it.
    func blockScales(of packed: PackedMatrix) throws(PackedMatrixError) -> [Float] {
        let stored = try packed.part("scales")
        guard doubleQuantization else { return stored.floats }
        return DoubleQuantizedScales(
            codes: stored.bytes.map { Int8(bitPattern: $0) }, scales: try packed.part("scaleScales").floats,
            mean: try packed.part("scaleMean").floats[0]
        ).values
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let count = packed.rows * packed.columns
        let codes = DenseBits.unpackedRows(try packed.part("codes").bytes, rows: 1, columns: count, bits: 4)
        let scales = try blockScales(of: packed)
        let levels = NormalFloatLevels.values.map { Float($0) }
        var decoded = Matrix(rows: packed.rows, columns: packed.columns)
        for index in 0..<count { decoded.storage[index] = levels[Int(codes[index])] * scales[index / block] }
        return decoded
    }
}

/// Block scales less their mean, 8-bit by blocks of 256.
///
/// - Source: QLoRA (Dettmers et al. 2023), section 3, "double quantization", with a linear 8-bit code.
struct DoubleQuantizedScales {
    static let block = Scheme.NormalFloat.scalesPerScale

    let codes: [Int8]
    let scales: [Float]
    let mean: Float

    init(codes: [Int8], scales: [Float], mean: Float) {
        self.codes = codes
        self.scales = scales
        self.mean = mean
    }

    init(_ values: [Float]) {
        let mean = Float(values.reduce(0.0) { $0 + Double($1) } / Double(max(1, values.count)))
        self.mean = mean
        var codes: [Int8] = []
        codes.reserveCapacity(values.count)
        scales = stride(from: 0, to: values.count, by: Self.block).map { start in
            let rest = values[start..<min(start + Self.block, values.count)].map { Double($0) - Double(mean) }
            let scale = Float(rest.reduce(0) { max($0, abs($1)) })
            for value in rest {
                let code = scale > 0 ? (127 * value / Double(scale)).rounded(.toNearestOrEven) : 0
                codes.append(Int8(min(max(code, -127), 127)))
            }
            return scale
        }
        self.codes = codes
    }

    var values: [Float] {
        codes.enumerated().map { index, code in
            Float(Double(scales[index / Self.block]) * Double(code) / 127 + Double(mean))
        }
    }
}
