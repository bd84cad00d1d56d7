import BitplanMeasurements
import BitplanMetrics
import Foundation
import PlanFormat

/// The cells that several workers measure: each is handed out once, kept as soon as it is measured, and told
/// of in the order in which they finish.
final class CellQueue: @unchecked Sendable {
    /// A cell that a worker measures, and what the store had of it.
    struct Claimed: Sendable {
        let index: Int
        let known: StoredCell
    }

    private let assignments: [Assignment]
    private let items: Range<Int>
    private let records: StoredExperiment?
    private let condition = NSCondition()
    // All below is read and written while `condition` is locked.
    private var waiting: ArraySlice<Int>
    private var finished: [Int] = []
    private var results: [[ItemScore]?]
    private var failure: (any Error)?
    private var isStopped = false

    init(_ assignments: [Assignment], items: Range<Int>, records: StoredExperiment?) {
        self.assignments = assignments
        self.items = items
        self.records = records
        waiting = Array(assignments.indices)[...]
        results = assignments.map { _ in nil }
    }

    /// The next cells to measure; nil where nothing is left to do. Those that the store has are finished on
    /// the way; those that another process is at are waited for.
    func take(upTo count: Int) -> [Claimed]? {
        while true {
            condition.lock()
            defer { condition.unlock() }
            guard !isStopped, failure == nil, !waiting.isEmpty else { return nil }
            var group: [Claimed] = []
            var others: [Int] = []
            do {
                while group.count < count, let index = waiting.popFirst() {
                    guard let records else {
                        group.append(Claimed(index: index, known: StoredCell()))
                        continue
                    }
                    let turn = try records.turn(assignments[index]) { $0.items.count >= items.upperBound }
                    switch turn {
                    case .known(let cell):
                        records.countKept()
                        results[index] = Array(cell.items[items])
                        finished.append(index)
                        condition.broadcast()
                    case .claimed(let cell): group.append(Claimed(index: index, known: cell))
                    case .others: others.append(index)
                    }
                }
            } catch {
                failure = error
                condition.broadcast()
            }
            waiting += others
            if !group.isEmpty { return group }
            if !others.isEmpty { _ = condition.wait(until: Date(timeIntervalSinceNow: 0.1)) }
        }
    }

    /// Keeps what was measured of some cells, or why it was not.
    func finish(_ group: [Claimed], _ result: Result<[[ItemLoss]], any Error>) {
        condition.lock()
        defer { condition.unlock() }
        do {
            for (cell, losses) in zip(group, try result.get()) {
                let scores = losses.map { ItemScore(loss: $0) }
                try records?.record(
                    scores, of: assignments[cell.index], items: items, behind: cell.known)
                results[cell.index] = scores
                finished.append(cell.index)
            }
        } catch {
            // The first failure is told; what others are at still counts.
            failure = failure ?? error
        }
        for cell in group { try? records?.release(assignments[cell.index]) }
        condition.broadcast()
    }

    /// Nothing more is handed out.
    func stop() {
        condition.lock()
        isStopped = true
        condition.unlock()
    }

    /// Calls `body` with every cell as soon as it is measured, on the caller's thread.
    ///
    /// - Throws: what `body` throws, and why a cell could not be measured.
    func forEachFinished(_ body: (Int, [ItemScore]) throws -> Void) throws {
        for _ in assignments {
            condition.lock()
            while finished.isEmpty, failure == nil { condition.wait() }
            if let failure {
                condition.unlock()
                throw failure
            }
            let index = finished.removeFirst()
            let scores = results[index] ?? []
            condition.unlock()
            try body(index, scores)
        }
    }

    /// The scores of all cells, in their order.
    func scores() throws -> [[ItemScore]] {
        condition.lock()
        defer { condition.unlock() }
        return results.map { $0 ?? [] }
    }
}

/// A thread that can be waited for. A pool would run no more of them than there are processor cores, and
/// workers wait for processes that may run elsewhere.
final class WorkerThread: Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        let done = done
        let thread = Thread {
            body()
            done.signal()
        }
        // JSON of deep answers is read on it.
        thread.stackSize = 4 << 20
        thread.start()
    }

    func join() { done.wait() }
}
