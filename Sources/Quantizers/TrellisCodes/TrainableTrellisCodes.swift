import BitplanKernels
import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.TrellisCodes: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableTrellisCodes(self, packed)
    }
}

/// Trellis codes under training: scales of rows, and of columns where the scheme has them, are learned along
/// fixed paths, which is exact.
///
/// Latent weights take the best path of every column anew; the gradient reaches them as it is. With a
/// rotation R both are in the basis of the inputs, and codes are those of W R'.
/// - Source: Tseng et al. 2024 (QTIP) for scales of rows and columns; Chung et al. 2020 for coding again and
///   again.
struct TrainableTrellisCodes: TrainableCodes {
    private let scheme: Scheme.TrellisCodes
    private let rows: Int
    private let columns: Int
    private let rotation: HadamardRotation?
    /// Windows, (rows, columns).
    private var windows: [UInt8]
    /// Scales of rows, then those of columns.
    var numbers: [Float]

    init(_ scheme: Scheme.TrellisCodes, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        (rows, columns) = (packed.rows, packed.columns)
        rotation = scheme.rotation ? HadamardRotation(columns: columns) : nil
        windows = [UInt8](repeating: 0, count: rows * columns)
        numbers = try packed.part("scales").floats
        if scheme.columnScales { numbers += try packed.part("columnScales").floats }
        let codes = try packed.part("codes").bytes
        for segment in scheme.segments(rows: rows) {
            let start = codes.startIndex
            let streams = [UInt8](
                codes[
                    start + segment.bytes.lowerBound * columns..<start + segment.bytes.upperBound * columns])
            for column in 0..<columns {
                let own = TrellisStreams.windows(
                    streams, pairBits: scheme.pairBits, count: segment.rows.count, column: column,
                    columns: columns)
                for (row, window) in zip(segment.rows, own) { windows[row * columns + column] = window }
            }
        }
    }

    /// The levels of the windows, (rows, columns): made where they are needed, which takes less than keeping
    /// four bytes for each.
    private var levels: Matrix {
        let values = TrellisTable.pairBits(scheme.pairBits).values
        return Matrix(rows: rows, columns: columns, storage: windows.map { values[Int($0)] })
    }

    private var storedRows: [Float] { numbers.prefix(rows).map(Scheme.FloatType.fp16.stored) }
    private var storedColumns: [Float] { numbers.dropFirst(rows).map(Scheme.FloatType.fp16.stored) }

    var rowScales: RowScales? {
        RowScales(rows: storedRows, columns: storedColumns, rotation: rotation)
    }

    func decoded() -> Matrix {
        let (rowScales, columnScales) = (storedRows, storedColumns)
        var decoded = levels
        decoded.storage.withUnsafeMutableBufferPointer { decoded in
            for row in 0..<rows {
                let (scale, first) = (rowScales[row], row * columns)
                guard !columnScales.isEmpty else {
                    for index in first..<first + columns { decoded[index] *= scale }
                    continue
                }
                for column in 0..<columns { decoded[first + column] *= scale * columnScales[column] }
            }
        }
        return rotation?.rotatingBack(decoded) ?? decoded
    }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        let coded = rotation?.rotating(gradient) ?? gradient
        let (rowScales, columnScales) = (storedRows, storedColumns)
        guard !columnScales.isEmpty else {
            return ScaledLevels(levels, width: columns).scalesGradient(coded)
        }
        let levels = levels
        var ofRows = [Float](repeating: 0, count: rows)
        var ofColumns = [Float](repeating: 0, count: columns)
        for row in 0..<rows {
            for column in 0..<columns {
                let product = coded[row, column] * levels[row, column]
                ofRows[row] += product * columnScales[column]
                ofColumns[column] += product * rowScales[row]
            }
        }
        return ofRows + ofColumns
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let turned = (rotation?.rotating(latent) ?? latent).transposed()
        let values = TrellisTable.pairBits(scheme.pairBits).values
        let (rowScales, columnScales) = (storedRows, storedColumns)
        let (pairBits, rows, columns) = (scheme.pairBits, rows, columns)
        let segments = scheme.segments(rows: rows)
        windows.withUnsafeMutableBufferPointer { windows in
            // A column writes its own windows.
            nonisolated(unsafe) let windows = windows
            turned.storage.withUnsafeBufferPointer { turned in
                nonisolated(unsafe) let turned = turned
                forEachRun(rows: columns, threads: threads) { run in
                    var factors = rowScales
                    var path = [UInt8](repeating: 0, count: TrellisPath.longest)
                    for column in run {
                        if !columnScales.isEmpty {
                            factors = rowScales.map { $0 * columnScales[column] }
                        }
                        for segment in segments {
                            guard let targets = turned.baseAddress else { return }
                            factors.withUnsafeBufferPointer { factors in
                                guard let factors = factors.baseAddress else { return }
                                TrellisPath.find(
                                    pairBits: pairBits, table: values,
                                    targets: targets + column * rows + segment.rows.lowerBound,
                                    factors: factors + segment.rows.lowerBound, count: segment.rows.count,
                                    windows: &path)
                            }
                            for (place, row) in segment.rows.enumerated() {
                                windows[row * columns + column] = path[place]
                            }
                        }
                    }
                }
            }
        }
    }

    func packed() -> PackedMatrix {
        let parts = scheme.parts(rows: rows, columns: columns)
        var codes = [UInt8](repeating: 0, count: parts[0].sizeInBytes)
        codes.withUnsafeMutableBufferPointer { codes in
            for segment in scheme.segments(rows: rows) {
                let stored = UnsafeMutableBufferPointer(
                    rebasing: codes[segment.bytes.lowerBound * columns..<segment.bytes.upperBound * columns])
                for column in 0..<columns {
                    let path = segment.rows.map { windows[$0 * columns + column] }
                    TrellisStreams.pack(
                        path[...], pairBits: scheme.pairBits, into: stored, column: column, columns: columns)
                }
            }
        }
        var stored = [
            "codes": PackedTensor(type: .uint8, shape: parts[0].shape, bytes: Data(codes)),
            "scales": PackedTensor(shape: [rows], floats: storedRows, as: .fp16),
        ]
        if scheme.columnScales {
            stored["columnScales"] = PackedTensor(shape: [columns], floats: storedColumns, as: .fp16)
        }
        return PackedMatrix(scheme: scheme.scheme, rows: rows, columns: columns, parts: stored)
            .inStoredOrder()
    }
}
