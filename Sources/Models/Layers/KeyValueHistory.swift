import BitplanKernels
import BitplanTensors

/// Keys and values of one sequence in one layer, in pages, head by head, so that each head reads one stream.
///
/// A copy shares the pages: of two beams with a common past only the page that is being written exists twice.
///
/// - Shapes: a page has (2, key heads, page length, size) numbers, keys before values.
struct KeyValueHistory: Sendable {
    /// Positions so far.
    private(set) var count = 0
    private var pages: [[Float]] = []
    /// Positions of a page.
    private let pageLength: Int

    /// An empty history that grows by pages.
    init() { pageLength = 8 }

    /// The keys and values of a whole sequence, in one page: what the decoder reads of its source.
    init(keys: Matrix, values: Matrix, rows: Range<Int>, heads: Int) {
        pageLength = max(rows.count, 1)
        for row in rows { append(keys: keys, values: values, row: row, heads: heads) }
    }

    /// Appends one row of keys and of values.
    mutating func append(keys: Matrix, values: Matrix, row: Int, heads: Int) {
        let width = keys.columns
        let position = count % pageLength
        if position == 0 { pages.append([Float](repeating: 0, count: 2 * pageLength * width)) }
        let (size, length, start) = (width / heads, pageLength, row * width)
        pages[pages.count - 1].withUnsafeMutableBufferPointer { page in
            keys.storage.withUnsafeBufferPointer { k in
                values.storage.withUnsafeBufferPointer { v in
                    guard let page = page.baseAddress, let k = k.baseAddress, let v = v.baseAddress
                    else { return }
                    for head in 0..<heads {
                        let to = page + (head * length + position) * size
                        to.update(from: k + start + head * size, count: size)
                        (to + length * width).update(from: v + start + head * size, count: size)
                    }
                }
            }
        }
        count += 1
    }

    /// Runs `body` on every page that has positions from `first` on: the page, these positions, the place of
    /// the first of them in the page, and the page's length.
    fileprivate func forEachPage(
        from first: Int, _ body: (UnsafePointer<Float>, Range<Int>, Int, Int) -> Void
    ) {
        for index in (first / pageLength)..<pages.count {
            let start = index * pageLength
            let positions = max(start, first)..<min(start + pageLength, count)
            pages[index].withUnsafeBufferPointer {
                if let base = $0.baseAddress {
                    body(base, positions, positions.lowerBound - start, pageLength)
                }
            }
        }
    }
}

extension Attention {
    /// Attention of every row of `queries` over its history, and the output projection.
    ///
    /// - Shapes: `queries` (memories, width).
    func read(_ memories: [SequenceMemory], _ queries: Matrix, scores: inout [Float]) -> Matrix {
        var context = Matrix(rows: queries.rows, columns: queries.columns)
        for (row, memory) in memories.enumerated() {
            read(memory.history, query: row, of: queries, scores: &scores, into: &context)
        }
        return projected(context)
    }

    /// What query `row` of `queries` reads from a history.
    ///
    /// - Parameter scores: memory for the scores, which grows as needed.
    private func read(
        _ history: KeyValueHistory, query row: Int, of queries: Matrix, scores: inout [Float],
        into context: inout Matrix
    ) {
        let first = firstKey(of: history.count)
        let (width, count) = (queries.columns, history.count - first)
        let size = width / heads
        if scores.count < heads * count { scores = [Float](repeating: 0, count: 2 * heads * count) }
        queries.storage.withUnsafeBufferPointer { queries in
            context.storage.withUnsafeMutableBufferPointer { contexts in
                scores.withUnsafeMutableBufferPointer { scores in
                    guard let scores = scores.baseAddress,
                        let query = queries.baseAddress.map({ $0 + row * width }),
                        let context = contexts.baseAddress.map({ $0 + row * width })
                    else { return }
                    history.forEachPage(from: first) { page, positions, place, length in
                        for head in 0..<heads {
                            dotRows(
                                query + head * size,
                                page + (head * keyHeads / heads * length + place) * size,
                                stride: size, count: positions.count, dimension: size, scale: scale,
                                into: scores + head * count + positions.lowerBound - first)
                        }
                    }
                    cap?.apply(scores, count: heads * count)
                    relative?.add(to: scores, count: count)
                    for head in 0..<heads { softmax(scores + head * count, count: count) }
                    history.forEachPage(from: first) { page, positions, place, length in
                        for head in 0..<heads {
                            combineRows(
                                scores + head * count + positions.lowerBound - first,
                                page + ((keyHeads + head * keyHeads / heads) * length + place) * size,
                                stride: size, count: positions.count, dimension: size,
                                into: context + head * size, adding: positions.lowerBound > first)
                        }
                    }
                }
            }
        }
    }
}
