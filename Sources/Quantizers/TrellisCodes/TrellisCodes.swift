import BitplanTensors
import Foundation
import PlanFormat

/// Trellis codes: every column of a segment of 256 rows is a path through 256 levels, every row has a scale.
///
/// Parts: `codes` U8 (bytes, columns), the streams of all columns side by side (`TrellisStreams`); `scales`
/// F16 (rows); `columnScales` F16 (columns) where the scheme has them: 1 until training moves them. A weight
/// is `scales[r] columnScales[c] level`. With a rotation R the codes are those of W R'.
/// - Source: Tseng et al. 2024 (QTIP), with segments of rows and scales of rows for blocks and one scale.
extension Scheme.TrellisCodes: SchemeCodec {
    func encode(_ weights: Matrix, fit: CodeFit, context: CalibrationContext)
        throws(QuantizationError) -> PackedMatrix
    {
        try weights.checkHalf()
        let (rows, columns) = (weights.rows, weights.columns)
        let (coded, context) = try rotated(weights, context)
        let feedback = fit.isCalibrated ? TrellisFeedback(try InputMoments(context, columns: columns)) : nil
        let outputs = fit.isCalibrated ? try context.outputMoments(rows: rows) : nil
        let parts = parts(rows: rows, columns: columns)
        var codes = [UInt8](repeating: 0, count: parts[0].sizeInBytes)
        var scales = [Float](repeating: 0, count: rows)
        let segments = segments(rows: rows)
        let threads = max(1, context.threads ?? ProcessInfo.processInfo.activeProcessorCount)
        // As many segments at a time as there are threads: all threads share the columns of each, then each
        // takes one with feedback, where a column waits for the one before.
        for first in stride(from: 0, to: segments.count, by: threads) {
            let places = first..<min(first + threads, segments.count)
            var fits = segments[places].map { segment in
                TrellisSegment(
                    coded.slice(rows: segment.rows), pairBits: pairBits, order: feedback?.order,
                    coupling: outputs.flatMap { RowCoupling($0, rows: segment.rows) })
            }
            for index in fits.indices { fits[index].fit(threads: threads) }
            if let feedback {
                fits.withUnsafeMutableBufferPointer { fits in
                    nonisolated(unsafe) let fits = fits
                    forEachRun(rows: fits.count, threads: threads, minimumRows: 1) { run in
                        for index in run { fits[index].fit(feedback) }
                    }
                }
            }
            for (segment, fit) in zip(segments[places], fits) {
                scales.replaceSubrange(segment.rows, with: fit.best.scales)
                codes.withUnsafeMutableBufferPointer { codes in
                    let stored = UnsafeMutableBufferPointer(
                        rebasing: codes[
                            segment.bytes.lowerBound * columns..<segment.bytes.upperBound * columns])
                    for (position, column) in (feedback?.order ?? Array(0..<columns)).enumerated() {
                        let first = position * segment.rows.count
                        TrellisStreams.pack(
                            fit.best.windows[first..<first + segment.rows.count], pairBits: pairBits,
                            into: stored,
                            column: column, columns: columns)
                    }
                }
            }
        }
        var stored = [
            "codes": PackedTensor(type: .uint8, shape: parts[0].shape, bytes: Data(codes)),
            "scales": PackedTensor(shape: [rows], floats: scales, as: .fp16),
        ]
        if columnScales {
            stored["columnScales"] = PackedTensor(
                shape: [columns], floats: [Float](repeating: 1, count: columns), as: .fp16)
        }
        return PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: stored)
    }

    func decode(_ packed: PackedMatrix) throws(PackedMatrixError) -> Matrix {
        let columns = packed.columns
        let codes = try packed.part("codes").bytes
        let scales = try packed.part("scales").floats
        let columnScales = columnScales ? try packed.part("columnScales").floats : nil
        let levels = TrellisTable.pairBits(pairBits).values
        var decoded = Matrix(rows: packed.rows, columns: columns)
        for segment in segments(rows: packed.rows) {
            let bytes =
                codes.startIndex + segment.bytes.lowerBound * columns..<codes.startIndex
                + segment.bytes.upperBound * columns
            let streams = [UInt8](codes[bytes])
            for column in 0..<columns {
                let windows = TrellisStreams.windows(
                    streams, pairBits: pairBits, count: segment.rows.count, column: column, columns: columns)
                for (row, window) in zip(segment.rows, windows) {
                    decoded[row, column] =
                        scales[row] * (columnScales?[column] ?? 1) * levels[Int(window)]
                }
            }
        }
        guard rotation else { return decoded }
        guard let rotation = HadamardRotation(columns: columns) else {
            throw .wrongShape(
                scheme: scheme, rows: packed.rows, columns: columns,
                expected: HadamardRotation.expectedColumns)
        }
        return rotation.rotatingBack(decoded)
    }

    /// Weights and moments in the basis in which they are coded: W R' and R H R'.
    private func rotated(
        _ weights: Matrix, _ context: CalibrationContext
    ) throws(QuantizationError) -> (Matrix, CalibrationContext) {
        guard rotation else { return (weights, context) }
        let columns = weights.columns
        guard let rotation = HadamardRotation(columns: columns) else {
            throw .wrongShape(
                scheme, rows: weights.rows, columns: columns, expected: HadamardRotation.expectedColumns)
        }
        var context = context
        if let moments = context.moments, moments.rows == columns, moments.columns == columns {
            context.moments = rotation.rotating(rotation.rotating(moments).transposed())
        }
        return (rotation.rotating(weights), context)
    }
}
