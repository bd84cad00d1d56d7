import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.TrellisCodes: RunnableScheme {
    var operatorType: any PackedOperator.Type { TrellisCodeMatrix.self }
}

/// Trellis codes run from their stored bytes, decoded 64 rows at a time.
///
/// - Parts: `codes` U8 (bytes, columns), `scales` F16 (rows), `columnScales` F16 (columns) where the scheme
///   has them.
package final class TrellisCodeMatrix: LinearOperator, PackedOperator {
    /// Output channels.
    package let rows: Int
    /// Input channels.
    package let columns: Int
    private let codes: Scheme.TrellisCodes
    private let segments: [Scheme.TrellisCodes.Segment]
    private let streams: Data
    private let levels: [Float]
    private let scales: [Float]
    private let columnScales: [Float]?
    private let rotation: HadamardRotation?
    private let instructions: InstructionSet

    /// An operator over the parts of `packed`. Codes are not copied.
    ///
    /// - Throws: `PackedMatrixError` where parts are missing or wrong, or rows cannot be rotated.
    package init(_ packed: PackedMatrix, instructions: InstructionSet = .best) throws(PackedMatrixError) {
        guard case .trellisCodes(let codes) = packed.scheme else { throw .notRunnable(packed.scheme) }
        try packed.checkParts()
        self.codes = codes
        rows = packed.rows
        columns = packed.columns
        self.instructions = min(instructions, .best)
        segments = codes.segments(rows: rows)
        streams = try packed.part("codes").bytes
        levels = TrellisTable.bits(codes.bits).values
        scales = try packed.part("scales").floats
        columnScales = codes.columnScales ? try packed.part("columnScales").floats : nil
        rotation = codes.rotation ? HadamardRotation(columns: columns) : nil
        guard codes.rotation == (rotation != nil) else {
            throw .wrongShape(
                scheme: packed.scheme, rows: rows, columns: columns,
                expected: HadamardRotation.expectedColumns)
        }
    }

    /// Bytes of codes and scales.
    package var residentBytes: Int { streams.count + 4 * (scales.count + (columnScales?.count ?? 0)) }

    /// `y = x W^T`, FP32.
    package func multiply(_ x: UnsafePointer<Float>, tokens: Int, into y: UnsafeMutablePointer<Float>) {
        multiplyDecoded(x, tokens: tokens, into: y, instructions: instructions)
    }

    /// Row `row`, dequantized.
    package func copyRow(_ row: Int, into destination: UnsafeMutablePointer<Float>) {
        precondition((0..<rows).contains(row), "row \(row) of \(rows)")
        let segment = segments[row / Scheme.TrellisCodes.segmentRows]
        let end = (row - segment.rows.lowerBound + 1) * codes.bits
        let length = segment.rows.count * codes.bits
        streams.withUnsafeBytes { streams in
            let stored = UnsafeRawBufferPointer(rebasing: streams[(segment.bytes.lowerBound * columns)...])
            for column in 0..<columns {
                var window = 0
                for bit in end - Scheme.TrellisCodes.windowBits..<end {
                    let position = (bit % length + length) % length
                    let byte = Int(stored[position / 8 * columns + column])
                    window = window << 1 | byte >> (7 - position % 8) & 1
                }
                destination[column] = scales[row] * (columnScales?[column] ?? 1) * levels[window]
            }
        }
        rotation?.applyTranspose(to: destination)
    }
}
