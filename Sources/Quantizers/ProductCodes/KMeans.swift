import BitplanTensors

/// Lloyd's k-means over short vectors, deterministic.
///
/// Each step assigns every vector to its nearest centroid (ties: the lowest index) and moves the centroid to
/// the mean of its vectors; a centroid without vectors moves to the vector with the largest error, the next
/// one to the next largest.
/// - Source: Lloyd 1982; seeding: Arthur and Vassilvitskii 2007 (k-means++).
package struct KMeans: Sendable {
    /// Where the centroids start.
    package enum Start: Sendable {
        /// Centroid i is vector `i * vectors / centroids`.
        case stride
        /// Each next one drawn in proportion to the squared distance from those before.
        case plusPlus(seed: UInt64)
    }

    /// (centroids, dimension), row-major.
    package private(set) var centroids: Matrix
    /// The centroid of each vector.
    package private(set) var assignment: [Int32]

    /// Clusters the rows of `vectors` in at most `count` centroids.
    ///
    /// Where no more than `count` different vectors occur, they are the centroids, and the error is 0.
    /// - Parameter trainingLimit: the most vectors that take part in Lloyd's steps, evenly spaced; all are
    ///   assigned at the end.
    /// - Complexity: O(iterations * vectors * count * dimension).
    package init(
        _ vectors: Matrix, count: Int, iterations: Int, start: Start, trainingLimit: Int = .max,
        threads: Int? = nil
    ) {
        if let distinct = Self.distinctRows(vectors, limit: count) {
            centroids = distinct
            assignment = []
            assignment = Self.assign(vectors, to: centroids, threads: threads).indices
            return
        }
        let training: Matrix
        if vectors.rows > trainingLimit {
            training = vectors.gathering(rows: (0..<trainingLimit).map { $0 * vectors.rows / trainingLimit })
        } else {
            training = vectors
        }
        let size = min(count, training.rows)
        switch start {
        case .stride:
            centroids = training.gathering(rows: (0..<size).map { $0 * training.rows / size })
        case .plusPlus(let seed):
            centroids = Self.plusPlus(training, count: size, seed: seed)
        }
        assignment = []
        for _ in 0..<iterations {
            let (indices, errors) = Self.assign(training, to: centroids, threads: threads)
            let moved = Self.means(training, indices: indices, errors: errors, centroids: centroids)
            if moved == centroids { break }
            centroids = moved
        }
        assignment = Self.assign(vectors, to: centroids, threads: threads).indices
    }

    /// The nearest centroid of each row, and its squared distance.
    static func assign(_ vectors: Matrix, to centroids: Matrix, threads: Int?) -> (
        indices: [Int32], errors: [Double]
    ) {
        let dimension = vectors.columns
        let count = centroids.rows
        // |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2): centroids dimension by dimension, so that the inner loop
        // runs over them.
        var transposed = [Float](repeating: 0, count: count * dimension)
        var halves = [Float](repeating: 0, count: count)
        for centroid in 0..<count {
            var square = 0.0
            for (axis, value) in centroids[row: centroid].enumerated() {
                transposed[axis * count + centroid] = value
                square += Double(value) * Double(value)
            }
            halves[centroid] = Float(square / 2)
        }
        var indices = [Int32](repeating: 0, count: vectors.rows)
        var errors = [Double](repeating: 0, count: vectors.rows)
        indices.withUnsafeMutableBufferPointer { indices in
            errors.withUnsafeMutableBufferPointer { errors in
                transposed.withUnsafeBufferPointer { transposed in
                    halves.withUnsafeBufferPointer { halves in
                        vectors.storage.withUnsafeBufferPointer { storage in
                            centroids.storage.withUnsafeBufferPointer { book in
                                let indices = UnsafeMutableBufferPointer(rebasing: indices[...])
                                let errors = UnsafeMutableBufferPointer(rebasing: errors[...])
                                forEachRun(rows: vectors.rows, threads: threads, minimumRows: 4096) { run in
                                    assignRun(
                                        run, storage: storage, dimension: dimension, transposed: transposed,
                                        halves: halves, book: book, indices: indices, errors: errors)
                                }
                            }
                        }
                    }
                }
            }
        }
        return (indices, errors)
    }

    private static func assignRun(
        _ run: Range<Int>, storage: UnsafeBufferPointer<Float>, dimension: Int,
        transposed: UnsafeBufferPointer<Float>, halves: UnsafeBufferPointer<Float>,
        book: UnsafeBufferPointer<Float>,
        indices: UnsafeMutableBufferPointer<Int32>, errors: UnsafeMutableBufferPointer<Double>
    ) {
        let count = halves.count
        withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { scores in
            for row in run {
                for centroid in 0..<count { scores[centroid] = -halves[centroid] }
                for axis in 0..<dimension {
                    let value = storage[row * dimension + axis]
                    let start = axis * count
                    for centroid in 0..<count { scores[centroid] += value * transposed[start + centroid] }
                }
                var best = 0
                var bestScore = scores[0]
                for centroid in 1..<max(1, count) where scores[centroid] > bestScore {
                    best = centroid
                    bestScore = scores[centroid]
                }
                var error = 0.0
                for axis in 0..<dimension {
                    let difference =
                        Double(storage[row * dimension + axis]) - Double(book[best * dimension + axis])
                    error += difference * difference
                }
                indices[row] = Int32(best)
                errors[row] = error
            }
        }
    }

    private static func means(_ vectors: Matrix, indices: [Int32], errors: [Double], centroids: Matrix)
        -> Matrix
    {
        let dimension = vectors.columns
        var sums = [Double](repeating: 0, count: centroids.rows * dimension)
        var counts = [Int](repeating: 0, count: centroids.rows)
        for row in 0..<vectors.rows {
            let centroid = Int(indices[row])
            counts[centroid] += 1
            for axis in 0..<dimension {
                sums[centroid * dimension + axis] += Double(vectors.storage[row * dimension + axis])
            }
        }
        var moved = centroids
        for centroid in 0..<centroids.rows where counts[centroid] > 0 {
            for axis in 0..<dimension {
                moved[centroid, axis] = Float(sums[centroid * dimension + axis] / Double(counts[centroid]))
            }
        }
        let empty = (0..<centroids.rows).filter { counts[$0] == 0 }
        if !empty.isEmpty {
            let worst = (0..<vectors.rows).sorted { (errors[$1], $0) < (errors[$0], $1) }
            for (centroid, row) in zip(empty, worst) {
                for axis in 0..<dimension { moved[centroid, axis] = vectors[row, axis] }
            }
        }
        return moved
    }

    private static func plusPlus(_ vectors: Matrix, count: Int, seed: UInt64) -> Matrix {
        var generator = SeededGenerator(seed: seed)
        var chosen = [generator.index(below: vectors.rows)]
        var distances = [Double](repeating: .infinity, count: vectors.rows)
        while true {
            let last = chosen[chosen.count - 1] * vectors.columns
            var total = 0.0
            for row in 0..<vectors.rows {
                var distance = 0.0
                for axis in 0..<vectors.columns {
                    let difference =
                        Double(vectors.storage[row * vectors.columns + axis])
                        - Double(vectors.storage[last + axis])
                    distance += difference * difference
                }
                distances[row] = min(distances[row], distance)
                total += distances[row]
            }
            if chosen.count == count { break }
            var remaining = generator.uniform() * total
            var next = vectors.rows - 1
            for row in 0..<vectors.rows {
                remaining -= distances[row]
                if remaining < 0 {
                    next = row
                    break
                }
            }
            chosen.append(next)
        }
        return vectors.gathering(rows: chosen)
    }

    /// The different rows in order of first occurrence; nil where there are more than `limit`.
    static func distinctRows(_ vectors: Matrix, limit: Int) -> Matrix? {
        var seen: Set<ArraySlice<Float>> = []
        var first: [Int] = []
        for row in 0..<vectors.rows where seen.insert(vectors[row: row]).inserted {
            if first.count == limit { return nil }
            first.append(row)
        }
        return vectors.gathering(rows: first)
    }
}
