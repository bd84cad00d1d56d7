import BitplanQuantizers
import BitplanTensors
import PlanFormat
import TestSupport
import Testing

/// What schemes say of themselves is what their encoders do.
@Suite struct TraitTests {
    /// Inputs are asked for exactly where the calibrated fit differs from the others.
    @Test(arguments: EveryScheme.list)
    func calibratedFit(_ scheme: Scheme) throws {
        let weights = randomWeights(rows: 6, columns: 40, seed: 61)
        guard scheme.family.hasCalibratedFit else {
            let calibrated = try Quantizer.encode(weights, as: scheme, fit: .calibrated)
            #expect(try calibrated == Quantizer.encode(weights, as: scheme, fit: .greedy))
            return
        }
        #expect(throws: QuantizationError.momentsMissing) {
            try Quantizer.encode(weights, as: scheme, fit: .calibrated)
        }
    }

    /// Frequencies of rows change the codes exactly where the scheme says that it uses them.
    @Test(arguments: EveryScheme.list)
    func rowFrequencies(_ scheme: Scheme) throws {
        let weights = randomWeights(rows: 12, columns: 24, seed: 62)
        let context = CalibrationContext(rowFrequencies: (0..<12).map { Double($0 * $0) })
        let plain = try Quantizer.encode(weights, as: scheme, fit: .greedy)
        let frequent = try Quantizer.encode(weights, as: scheme, fit: .greedy, context: context)
        // One cluster has all rows, whatever their frequencies.
        let hasOneClass = scheme == Scheme("emb1:r1")
        #expect((plain != frequent) == (scheme.family.usesRowFrequencies && !hasOneClass))
        #expect(scheme.needsText(.greedy) == scheme.family.usesRowFrequencies)
    }

    /// Where a scheme says that it has a grid, the weights that share a scale are evenly spaced, no more than
    /// 2^bits values.
    @Test(arguments: EveryScheme.list.filter { $0.family.grid != nil })
    func grids(_ scheme: Scheme) throws {
        let grid = try #require(scheme.family.grid)
        let (rows, columns) = (5, 96)
        let weights = randomWeights(rows: rows, columns: columns, seed: 63)
        let decoded = try Quantizer.decode(Quantizer.encode(weights, as: scheme, fit: .greedy))
        if grid.isSymmetric {
            let mirrored = Matrix(rows: rows, columns: columns, storage: weights.storage.map { -$0 })
            let other = try Quantizer.decode(Quantizer.encode(mirrored, as: scheme, fit: .greedy))
            #expect(other.storage == decoded.storage.map { -$0 })
        }
        let units: [Range<Int>] =
            switch grid.granularity {
            case .tensor: [0..<rows * columns]
            case .row: (0..<rows).map { $0 * columns..<($0 + 1) * columns }
            case .group(let group):
                (0..<rows).flatMap { row in
                    stride(from: 0, to: columns, by: group).map {
                        row * columns + $0..<row * columns + min($0 + group, columns)
                    }
                }
            }
        for unit in units {
            let values = Set(decoded.storage[unit]).sorted()
            #expect(values.count <= 1 << grid.bits)
            let gaps = zip(values, values.dropFirst()).map { Double($1) - Double($0) }
            guard let step = gaps.min() else { continue }
            let largest = Double(max(abs(values[0]), abs(values[values.count - 1])))
            for gap in gaps {
                // The smallest gap may be several steps where few codes occur: halves and thirds of it are
                // tried.
                let distance = (1...4).map { divisor in
                    let ratio = gap / step * Double(divisor)
                    return abs(ratio - ratio.rounded()) * step / Double(divisor)
                }.min()
                #expect(try #require(distance) < 1e-5 * largest, "\(gap) of \(step)")
            }
        }
    }

    /// A scheme and the one that its kernel is timed with have the same codes.
    @Test(arguments: EveryScheme.list)
    func kernels(_ scheme: Scheme) {
        #expect(scheme.kernel.kernel == scheme.kernel)
        for (rows, columns) in EveryScheme.shapes {
            func codes(_ scheme: Scheme) -> [StoredPart] {
                scheme.parts(rows: rows, columns: columns).filter {
                    if case .interleaved = $0.order { return true }
                    return false
                }
            }
            #expect(codes(scheme) == codes(scheme.kernel))
        }
    }
}
