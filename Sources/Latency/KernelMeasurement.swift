import BitplanKernels
import BitplanTensors
import PlanFormat

/// Which products are timed, and how often.
package struct KernelGrid: Hashable, Sendable {
    /// Output channels.
    package var rows: [Int]
    /// Input channels.
    package var columns: [Int]
    /// Tokens at a time.
    package var tokens: [Int]
    /// Bytes of weights in rotation.
    package var workingSets: [Int]
    /// Timed repetitions of each product.
    package var repetitions: Int

    /// A grid of these axes.
    package init(rows: [Int], columns: [Int], tokens: [Int], workingSets: [Int], repetitions: Int) {
        self.rows = rows
        self.columns = columns
        self.tokens = tokens
        self.workingSets = workingSets
        self.repetitions = repetitions
    }

    /// Shapes from 128 to 32768, 1 to 64 tokens, and weights from a core's own cache to main memory: closely
    /// where packed models lie, for somewhere there the last cache ends, and times do not grow evenly.
    package static let standard = KernelGrid(
        rows: [128, 512, 2048, 8192, 32768], columns: [128, 512, 2048], tokens: [1, 4, 8, 16, 64],
        workingSets: [1, 4, 8, 12, 16, 20, 24, 32, 64, 256].map { $0 << 20 }, repetitions: 9)

    /// Fewer points: about a fifth of the time, and some accuracy.
    package static let quick = KernelGrid(
        rows: [128, 512, 2048], columns: [128, 512, 2048], tokens: [1, 16, 64],
        workingSets: [1 << 20, 16 << 20], repetitions: 3)
}

/// Times products of one scheme.
///
/// As in a model, a product finds its weights where the products between two uses of them left them:
/// operators of one shape take turns, as many as fit into the working set, and what is missing to it is read
/// between the turns, untimed. Time is what the thread computes.
struct KernelMeasurement {
    let scheme: Scheme
    let grid: KernelGrid
    let reference: ReferenceWork

    /// Matrices of one shape at most: more than any model has.
    private static let mostOperators = 256
    /// Times that all cases of a shape are gone through: what disturbs the machine does not hit one of them
    /// alone.
    private static let rounds = 3
    /// Turns of a rotation before it is timed. A last cache that learns which lines are used again takes
    /// about as many until it keeps what it can: after two turns of 16 MiB products took half as long again
    /// as in a model, after ten as long.
    private static let warmTurns = 10
    /// Seconds of one repetition, where the products in rotation take less.
    private static let secondsAtATime = 4e-4

    /// The points of the grid, their seconds in units of the reference work.
    func points() throws -> [LatencyProfile.KernelPoint] {
        try grid.rows.flatMap { rows in
            try grid.columns.flatMap { columns in try points(rows: rows, columns: columns) }
        }
    }

    /// Look-ups of rows in no order, their seconds in units of the reference work.
    func lookups() throws -> [LatencyProfile.LookupPoint] {
        let rows = grid.rows.max() ?? 1
        return try grid.columns.sorted().map { columns in
            let table = try RandomWeights.make(scheme, rows: rows, columns: columns, seed: 0)
            var line = [Float](repeating: 0, count: columns)
            let calls = 64
            var next = 0
            let times = (0...grid.repetitions).map { _ in
                reference.ratio {
                    for _ in 0..<calls {
                        table.copyRow(next, into: &line)
                        next = (next + 7919) % rows
                    }
                } / Double(calls)
            }
            return .init(columns: columns, seconds: Timing(times).median)
        }
    }

    /// Operators in rotation, and bytes that are read between their turns.
    private struct Rotation: Hashable {
        let count: Int
        let filler: Int

        /// The rotation of matrices of `size` bytes in a working set; nil where most of it would be read
        /// between turns, unless it is the least set.
        init?(workingSet: Int, size: Int, isLeast: Bool) {
            count = max(1, min(workingSet / size, KernelMeasurement.mostOperators))
            let missing = workingSet - count * size
            // Small matrices come close enough by themselves.
            filler = missing >= workingSet / 8 ? missing : 0
            if count == KernelMeasurement.mostOperators, filler > workingSet * 3 / 4, !isLeast { return nil }
        }
    }

    /// One body that is repeated.
    private struct Case {
        var tokens: Int
        let rotation: Rotation
        /// Products at a time.
        var products = 1
        var next = 0
        var times: [Double] = []
    }

    private func points(rows: Int, columns: Int) throws -> [LatencyProfile.KernelPoint] {
        let size = scheme.sizeInBytes(rows: rows, columns: columns)
        // Quantized models are small: only full precision has to come from as far as that.
        let sets = grid.workingSets.filter {
            scheme.isFullPrecision || $0 <= 64 << 20 || grid.workingSets.count == 1
        }
        var rotations: [Rotation] = []
        for set in sets {
            // Small matrices have at least the smallest set.
            guard let rotation = Rotation(workingSet: set, size: size, isLeast: rotations.isEmpty),
                !rotations.contains(rotation)
            else { continue }
            rotations.append(rotation)
        }
        let operators = try (0..<(rotations.map(\.count).max() ?? 1)).map {
            try RandomWeights.make(scheme, rows: rows, columns: columns, seed: UInt64($0))
        }
        let most = grid.tokens.max() ?? 1
        // Depends on all that was read, so that reading is not left out.
        var sink: UInt32 = 0
        defer { withExtendedLifetime(sink) {} }
        let x = RandomWeights.activations(tokens: most, columns: columns)
        let y = UnsafeMutablePointer<Float>.allocate(capacity: most * rows)
        y.initialize(repeating: 0, count: most * rows)
        defer { y.deallocate() }
        let filler = alignedData(byteCount: rotations.map(\.filler).max() ?? 0) { _ in }
        /// Seconds of the products of `body`.
        func run(_ body: inout Case) -> Double {
            var (seconds, left) = (0.0, body.products)
            while left > 0 {
                if body.next == 0, body.rotation.filler > 0 {
                    filler.withUnsafeBytes {
                        sink ^= readThrough(.init(rebasing: $0[..<body.rotation.filler]))
                    }
                }
                let turn = body.next..<min(body.next + left, body.rotation.count)
                seconds += threadSeconds {
                    for index in turn {
                        operators[index].multiply(x.storage, tokens: body.tokens, into: y)
                    }
                }
                left -= turn.count
                body.next = turn.upperBound % body.rotation.count
            }
            return seconds
        }
        var cases = rotations.flatMap { rotation in
            grid.tokens.map { Case(tokens: $0, rotation: rotation) }
        }
        for index in cases.indices {
            _ = run(&cases[index])
            let once = max(1e-9, run(&cases[index]))
            cases[index].products = max(1, min(Int(Self.secondsAtATime / once), 1 << 16))
        }
        let rounds = min(Self.rounds, grid.repetitions)
        for round in 0..<rounds {
            for index in cases.indices {
                // What a cache can hold is there before the clock starts.
                let rotation = cases[index].rotation
                let isOther = index == 0 || cases[index - 1].rotation != rotation
                if isOther, rotation.count * size + rotation.filler <= 64 << 20 {
                    var warm = cases[index]
                    (warm.tokens, warm.products) = (1, Self.warmTurns * rotation.count)
                    _ = run(&warm)
                }
                for _ in grid.repetitions * round / rounds..<grid.repetitions * (round + 1) / rounds {
                    let time = reference.inUnits { run(&cases[index]) }
                    cases[index].times.append(time / Double(cases[index].products))
                }
            }
        }
        let preparations = Dictionary(
            uniqueKeysWithValues: grid.tokens.map { ($0, preparation(operators[0], x, tokens: $0)) })
        return cases.map { body in
            let timing = Timing(body.times)
            return LatencyProfile.KernelPoint(
                rows: rows, columns: columns, tokens: body.tokens,
                workingSetBytes: body.rotation.count * size + body.rotation.filler,
                seconds: timing.median, spread: timing.spread,
                preparationSeconds: min(preparations[body.tokens] ?? 0, timing.median))
        }
    }

    /// What an operator takes to prepare its activations; 0 where it takes them as they are.
    private func preparation(_ weights: any LinearOperator, _ x: Matrix, tokens: Int) -> Double {
        guard let preparing = weights.preparing else { return 0 }
        let calls = 64
        let prepared = UnsafeMutableRawPointer.allocate(
            byteCount: max(1, preparing.preparedBytes(tokens: tokens)), alignment: 64)
        defer { prepared.deallocate() }
        let times = (0...grid.repetitions).map { _ in
            reference.ratio {
                for _ in 0..<calls { preparing.prepare(x.storage, tokens: tokens, into: prepared) }
            } / Double(calls)
        }
        return Timing(times).median
    }
}
