import BitplanKernels
import BitplanLatency
import BitplanTensors
import Foundation
import PlanFormat

/// The cases of the benchmark, and what they gave.
struct Cases {
    let blas: OpenBLAS?
    let only: String?
    let repetitions: Int
    private(set) var records: [Record] = []

    init(blas: OpenBLAS?, only: String?, repetitions: Int) {
        self.blas = blas
        self.only = only
        self.repetitions = repetitions
    }

    /// Speed-ups over OpenBLAS's sgemv that are aimed at, on a machine whose caches hold 24 packed matrices.
    static let matvecTargets: [(String, Double?)] = [
        ("bcq1", 70), ("bcq2", 40), ("bcq3", 25), ("bcq4", 17), ("int8", 10), ("int4", 18), ("int3", nil),
        ("int2", nil),
        ("nf4", 9), ("sign", 150), ("bitlinear", nil), ("w8a8", nil), ("index8", nil), ("pq:b8:k256", nil),
        ("bcq2:g64", nil), ("int4:g64", nil), ("fp16", nil), ("tcq1", nil), ("tcq2", 6), ("tcq3", 4.2),
        ("tcq4", 5.4), ("tcq1.5", nil), ("tcq2.5", nil), ("tcq3.5", nil), ("tcq1@8", nil), ("tcq2@8", 10),
        ("tcq3@8", 7), ("tcq4@8", 9), ("tcq2:h", nil),
    ]

    mutating func run() throws {
        for (shape, target) in [
            ((32, 512, 512), 1.3), ((32, 2048, 512), 1.3), ((32, 512, 2048), 1.3), ((512, 512, 512), 1),
        ] {
            if wants("gemm", "fp32") || only == "split" {
                try gemm(tokens: shape.0, rows: shape.1, columns: shape.2, target: target)
            }
        }
        for (tokens, rows, columns) in [(32, 2048, 512), (176, 512, 128), (128, 2048, 512), (64, 4000, 128)]
        where wants("training", "fp32") {
            training(tokens: tokens, rows: rows, columns: columns)
        }
        try rotation("matvec", rows: 2048, columns: 512, tokens: 1, count: 24, kernels: Self.matvecTargets)
        try rotation(
            "batch", rows: 2048, columns: 512, tokens: 16, count: 4,
            kernels: Self.matvecTargets.map { ($0.0, nil) })
        try dram(
            rows: 32000, columns: 512,
            kernels: [
                "bcq1", "bcq2", "bcq3", "bcq4", "int8", "int4", "int3", "int2", "nf4", "sign", "w8a8",
                "index8",
                "tcq2", "tcq3", "tcq4",
            ])
    }

    private func wants(_ name: String, _ kernel: String) -> Bool {
        only == nil || only == name || only == kernel
    }

    /// The three products of a step: y = x W', dx = dy W, dW += dy' x, the latter two beside the first.
    private mutating func training(tokens: Int, rows: Int, columns: Int) {
        let weights = RandomWeights.activations(tokens: rows, columns: columns, seed: 1)
        let x = RandomWeights.activations(tokens: tokens, columns: columns, seed: 2)
        let dy = RandomWeights.activations(tokens: tokens, columns: rows, seed: 3)
        let matrix = TrainingMatrix(weights)
        var sum = Matrix(rows: rows, columns: columns)
        let calls = max(1, Int(1e9 / (2 * Double(tokens * rows * columns))))
        let names = ["forward", "input gradient", "weight gradient"]
        let timings = alternated(
            [
                { for _ in 0..<calls { _ = matrix(x) } },
                { for _ in 0..<calls { _ = matrix.inputGradient(dy, input: x) } },
                { for _ in 0..<calls { addWeightGradient(dy, x, to: &sum) } },
            ], calls: calls, repetitions: repetitions)
        for (index, timing) in timings.enumerated() {
            add(
                "training", names[index], rows, columns, tokens, timing, bytes: 4 * rows * columns,
                fp32: index == 0 ? nil : timings[0], target: index == 0 ? nil : 0.85)
        }
    }

    private mutating func gemm(tokens: Int, rows: Int, columns: Int, target: Double) throws {
        let weights = RandomWeights.activations(tokens: rows, columns: columns, seed: 1)
        let x = RandomWeights.activations(tokens: tokens, columns: columns, seed: 2)
        let dense = DenseMatrix(weights)
        try checkDense(weights, dense, x)
        let products = Products(tokens: tokens, rows: rows)
        // About 20 ms at a time, so that the clock's own cost and the caches' first misses vanish.
        let calls = max(1, Int(1e9 / (2 * Double(tokens * rows * columns))))
        var bodies = [{ for _ in 0..<calls { dense.multiply(x.storage, tokens: tokens, into: products.y) } }]
        if let blas {
            bodies.append {
                for _ in 0..<calls {
                    blas.multiply(
                        weights.storage, rows: rows, columns: columns, x.storage, tokens: tokens,
                        into: products.y)
                }
            }
        }
        if SplitMatrix.isFast {
            let split = SplitMatrix(weights)
            try checkDense(weights, split, x)
            bodies.append {
                for _ in 0..<calls { split.multiply(x.storage, tokens: tokens, into: products.y) }
            }
        }
        let timings = alternated(bodies, calls: calls, repetitions: repetitions)
        let other = blas == nil ? nil : timings[1]
        add(
            "gemm", "fp32", rows, columns, tokens, timings[0], bytes: 4 * rows * columns, blas: other,
            target: target)
        if let other {
            add("gemm", "OpenBLAS", rows, columns, tokens, other, bytes: 4 * rows * columns, fp32: timings[0])
        }
        if SplitMatrix.isFast {
            add(
                "gemm", "split", rows, columns, tokens, timings[timings.count - 1],
                bytes: 4 * rows * columns, fp32: timings[0], blas: other)
        }
    }

    private func checkDense(_ weights: Matrix, _ dense: any LinearOperator, _ x: Matrix) throws {
        let y = dense(x)
        for t in stride(from: 0, to: x.rows, by: 7) {
            for r in stride(from: 0, to: weights.rows, by: 61) {
                let exact = (0..<x.columns).reduce(0.0) { $0 + Double(weights[r, $1]) * Double(x[t, $1]) }
                guard abs(Double(y[t, r]) - exact) < 1e-3 else {
                    throw CheckFailure(
                        description: "fp32: token \(t), row \(r): expected \(exact), got \(y[t, r])")
                }
            }
        }
    }

    /// Products with `count` matrices of one shape, one after the other: what a model's layers do to the
    /// caches.
    private mutating func rotation(
        _ name: String, rows: Int, columns: Int, tokens: Int, count: Int, kernels: [(String, Double?)]
    ) throws {
        let wanted = kernels.filter { wants(name, $0.0) }
        guard !wanted.isEmpty || only == "fp32" else { return }
        let x = RandomWeights.activations(tokens: tokens, columns: columns, seed: 2)
        let products = Products(tokens: tokens, rows: rows)
        let weights = RandomWeights.activations(tokens: rows, columns: columns, seed: 1)
        let dense = (0..<count).map { _ in DenseMatrix(weights) }
        let plain = alignedData(byteCount: 4 * rows * columns * count) { buffer in
            for i in 0..<count {
                weights.storage.withUnsafeBytes {
                    buffer[(i * $0.count)..<((i + 1) * $0.count)].copyBytes(from: $0)
                }
            }
        }
        var bodies: [() -> Void] = [
            { for matrix in dense { matrix.multiply(x.storage, tokens: tokens, into: products.y) } }
        ]
        if let blas {
            bodies.append {
                plain.withUnsafeBytes { raw in
                    for i in 0..<count {
                        guard let base = raw.bindMemory(to: Float.self).baseAddress else { return }
                        blas.multiply(
                            base + i * rows * columns, rows: rows, columns: columns, x.storage,
                            tokens: tokens,
                            into: products.y)
                    }
                }
            }
        }
        let first = bodies.count
        let sink = Products(tokens: 1, rows: 1)
        var sizes: [(all: Int, codes: Int)] = []
        var reads: [() -> Void] = []
        for (name, _) in wanted {
            let kernel = try BenchKernel(name)
            let packed = kernel.packed(rows: rows, columns: columns, count: count)
            try check(kernel, packed[0], tokens: min(tokens, 3))
            let operators = try packed.map { try kernel.make($0) }
            let codes = packed.compactMap {
                $0.parts["signs"] ?? $0.parts["codes"] ?? $0.parts["indices"] ?? $0.parts["weights"]
            }
            sizes.append((packed[0].sizeInBytes, codes[0].bytes.count))
            bodies.append {
                for matrix in operators { matrix.multiply(x.storage, tokens: tokens, into: products.y) }
            }
            reads.append { read(codes, sink) }
        }
        if tokens == 1 { bodies += reads }
        let timings = alternated(bodies, calls: count, repetitions: repetitions, steady: true)
        let reference = blas == nil ? nil : timings[1]
        add(name, "fp32", rows, columns, tokens, timings[0], bytes: 4 * rows * columns, blas: reference)
        if let reference {
            add(
                name, "OpenBLAS", rows, columns, tokens, reference, bytes: 4 * rows * columns,
                fp32: timings[0])
        }
        for (i, (kernel, target)) in wanted.enumerated() {
            add(
                name, kernel, rows, columns, tokens, timings[first + i], bytes: sizes[i].all,
                fp32: timings[0],
                blas: reference,
                read: tokens == 1 ? (timings[first + wanted.count + i], sizes[i].codes) : nil,
                target: target)
        }
    }

    /// Products with matrices that no cache holds, against reading as many bytes.
    private mutating func dram(rows: Int, columns: Int, kernels: [String]) throws {
        let x = RandomWeights.activations(tokens: 1, columns: columns, seed: 2)
        let products = Products(tokens: 1, rows: rows)
        for name in kernels where wants("dram", name) {
            let kernel = try BenchKernel(name)
            let size = kernel.scheme.sizeInBytes(rows: rows, columns: columns)
            let count = (128 << 20) / size + 1
            let packed = kernel.packed(rows: rows, columns: columns, count: count)
            try check(kernel, packed[0], tokens: 1)
            let operators = try packed.map { try kernel.make($0) }
            let memory = packed.compactMap { $0.parts["signs"] ?? $0.parts["codes"] }
            let sink = Products(tokens: 1, rows: 1)
            let timings = alternated(
                [
                    { for matrix in operators { matrix.multiply(x.storage, tokens: 1, into: products.y) } },
                    { read(memory, sink) },
                ], calls: count, repetitions: repetitions)
            // The read is of the codes alone; the product reads the scales too.
            let codes = memory[0].bytes.count
            add(
                "dram", name, rows, columns, 1, timings[0], bytes: size, read: (timings[1], codes),
                target: 0.8)
            add("dram", "read \(name)", rows, columns, 1, timings[1], bytes: codes)
        }
    }

    private mutating func add(
        _ name: String, _ kernel: String, _ rows: Int, _ columns: Int, _ tokens: Int, _ timing: Timing,
        bytes: Int,
        fp32: Timing? = nil, blas: Timing? = nil, read: (Timing, bytes: Int)? = nil, target: Double? = nil
    ) {
        let seconds = timing.median
        records.append(
            Record(
                name: name, kernel: kernel, rows: rows, columns: columns, tokens: tokens, seconds: timing,
                gigaflops: 2e-9 * Double(rows * columns * tokens) / seconds,
                gigabytesPerSecond: 1e-9 * Double(bytes) / seconds,
                overOpenBLAS: blas.map { $0.median / seconds },
                overFP32: fp32.map { $0.median / seconds },
                ofReadBandwidth: read.map { Double(bytes) / seconds / (Double($0.bytes) / $0.0.median) },
                target: target))
    }
}

/// Reads the bytes of all tensors, and leaves something in `sink` so that it has to be done.
private func read(_ tensors: [PackedTensor], _ sink: Products) {
    for tensor in tensors { tensor.bytes.withUnsafeBytes { sink.y[0] += Float(readThrough($0) & 1) } }
}

/// Memory for results, kept over all repetitions.
private final class Products {
    let y: UnsafeMutablePointer<Float>

    init(tokens: Int, rows: Int) {
        y = .allocate(capacity: tokens * rows)
        y.initialize(repeating: 0, count: tokens * rows)
    }

    deinit { y.deallocate() }
}
