import CBitplanKernels
import Dispatch
import Foundation
import PlanFormat
import Synchronization

/// Threads that share the rows of one product after the other, so that a single sentence has more than one
/// core.
///
/// Parts of the rows are handed out as threads ask for them: a helper that wakes late finds them done. Who
/// has nothing to do sleeps. A row's sum does not depend on the part it is in, so results are those of one
/// thread, bit for bit.
package final class ProductTeam: Sendable {
    /// The team that shares the products of this thread; nil where one thread multiplies alone.
    @TaskLocal private static var current: ProductTeam?

    /// Bytes of weights times tokens from which a product is shared: waking a helper for less hardly pays.
    /// From 64 kB to 4 MB no choice measured better beyond noise (`Scripts/measure_threads.py`).
    static let leastWork = 192 << 10

    /// Teams by their number of threads. Their helpers sleep between uses, and last as long as the program.
    private static let teams = Mutex<[Int: ProductTeam]>([:])

    private let helpers: [Helper]
    private let isBusy = Atomic(false)

    private init(threads: Int) { helpers = (1..<threads).map { _ in Helper() } }

    /// Calls `body`, whose products are shared by `threads` threads, the caller's one of them.
    ///
    /// One caller at a time has a team's helpers; another one's products go on alone.
    package static func sharing<Value>(threads: Int, _ body: () throws -> Value) rethrows -> Value {
        guard threads > 1 else { return try body() }
        let team = teams.withLock { teams in
            if let team = teams[threads] { return team }
            let team = ProductTeam(threads: threads)
            teams[threads] = team
            return team
        }
        return try $current.withValue(team, operation: body)
    }

    /// Calls `body` with parts that make up all of `rows` rows, on several threads where the product is
    /// large.
    ///
    /// - Parameter work: bytes of weights times tokens.
    static func forEachPart(of rows: Int, work: Int, _ body: @escaping (bp_part) -> Void) {
        let unit = Int(BP_PART_ROWS)
        guard rows > unit, work >= leastWork, let team = current,
            team.isBusy.compareExchange(expected: false, desired: true, ordering: .acquiring).exchanged
        else { return body(bp_part(first: 0, end: rows)) }
        defer { team.isBusy.store(false, ordering: .releasing) }
        // Parts enough that threads end at about the same time.
        let height = ceilDivide(ceilDivide(rows, 8 * (team.helpers.count + 1)), unit) * unit
        let job = Job(count: ceilDivide(rows, height)) { index in
            body(bp_part(first: index * height, end: min(rows, (index + 1) * height)))
        }
        for helper in team.helpers { helper.help(job) }
        job.work()
        job.wait()
    }

    /// The parts of one product.
    private final class Job: @unchecked Sendable {
        private let finished = DispatchSemaphore(value: 0)
        private let count: Int
        private let body: (Int) -> Void
        private let next = Atomic(0)
        private let left: Atomic<Int>

        init(count: Int, _ body: @escaping (Int) -> Void) {
            self.count = count
            self.body = body
            left = Atomic(count)
        }

        /// Sleeps until all parts are done, and sees what they wrote.
        func wait() {
            finished.wait()
            _ = left.load(ordering: .acquiring)
        }

        /// Takes part after part until none is left.
        func work() {
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < count else { return }
                body(index)
                if left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                    finished.signal()
                }
            }
        }
    }

    /// A thread that sleeps until there is a job.
    private final class Helper: @unchecked Sendable {
        /// Guards `job`. A condition of pthreads, since the thread sanitizer follows those.
        private let wake = NSCondition()
        private var job: Job?

        init() {
            let thread = Thread { [self] in
                while true { next().work() }
            }
            // Kernels keep panels on the stack.
            thread.stackSize = 8 << 20
            thread.start()
        }

        func help(_ next: Job) {
            wake.withLock { job = next }
            wake.signal()
        }

        /// Sleeps until there is a job, and takes it.
        private func next() -> Job {
            wake.withLock {
                while true {
                    if let next = job {
                        job = nil
                        return next
                    }
                    wake.wait()
                }
            }
        }
    }
}
