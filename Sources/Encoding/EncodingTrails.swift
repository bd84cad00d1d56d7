import BitplanModels
import BitplanTensors
import PlanFormat
import Synchronization

/// What encoding one plan has left of its way through the sublayers: a plan that begins alike goes on from
/// where the two part.
///
/// What is kept is a function of the beginning alone, so a plan's codes do not depend on the plans before it.
/// Activations of large texts take too much memory to be kept: then nothing is.
final class EncodingTrails: Sendable {
    /// The way of one plan.
    struct Trail: Sendable {
        /// What every tensor becomes.
        let schemes: TensorSchemes
        /// The matrices of the sublayers that were passed.
        var packed: [String: PackedMatrix] = [:]
        /// Activations of the sublayers that were passed, by batch: those at i stand before sublayer i + 1.
        var states: [[NetworkState]] = []
    }

    private struct Kept {
        /// Activations in full precision, by the sublayer that they stand before; where little is kept, only
        /// those that were asked for last.
        var exact: [Int: [NetworkState]] = [:]
        /// The latest trails, the last one used at the end.
        var trails: [Trail] = []
        /// Whole plans, the last one encoded at the end.
        var plans: [(schemes: TensorSchemes, packed: [String: PackedMatrix], bytes: Int)] = []
    }

    private let kept = Mutex(Kept())
    private let count: Int

    /// Most bytes of activations that are kept, all trails and those in full precision together.
    private static var limit: Int { 1 << 30 }
    /// Most trails: a search measures changes of one plan in turn.
    private static var mostTrails: Int { 3 }
    /// Most bytes of whole plans that are kept: a uniform plan is measured by its loss, by the task's metric,
    /// and packed.
    private static var planBytes: Int { 64 << 20 }

    /// Trails through so many sublayers, each of which changes `stateBytes` of a state, a text's batches
    /// together.
    init(sublayers: Int, stateBytes: Int) {
        count = Self.count(sublayers: sublayers, stateBytes: stateBytes)
    }

    private static func count(sublayers: Int, stateBytes: Int) -> Int {
        min(mostTrails, max(0, limit / max(1, sublayers * stateBytes) - 1))
    }

    /// Bytes of activations that are kept, about: all those of a trail and in full precision and half of each
    /// other trail, which begins as another did, or those that one plan needs at a time.
    static func bytes(sublayers: Int, stateBytes: Int) -> Int {
        let count = count(sublayers: sublayers, stateBytes: stateBytes)
        return count > 0 ? (count + 3) * sublayers * stateBytes / 2 : 2 * stateBytes
    }

    /// The longest way of a kept plan that begins as `schemes` do; an empty one where there is none.
    func beginning(_ schemes: TensorSchemes, _ sublayers: [SublayerShape]) -> Trail {
        kept.withLock { kept in
            func shared(_ trail: Trail) -> Int {
                guard trail.schemes.vectors == schemes.vectors else { return 0 }
                let alike = sublayers.prefix { sublayer in
                    sublayer.matrices.allSatisfy { trail.schemes[$0.tensor] == schemes[$0.tensor] }
                }
                return min(alike.count, trail.states.count)
            }
            var start = Trail(schemes: schemes)
            guard
                let place = kept.trails.indices.max(by: { shared(kept.trails[$0]) < shared(kept.trails[$1]) })
            else { return start }
            let trail = kept.trails.remove(at: place)
            kept.trails.append(trail)
            let length = shared(trail)
            start.states = Array(trail.states.prefix(length))
            for shape in sublayers.prefix(length).flatMap(\.matrices) {
                start.packed[shape.tensor] = trail.packed[shape.tensor]
            }
            return start
        }
    }

    /// The activations in full precision before a sublayer; `advance` makes those behind a sublayer of those
    /// before it, and behind the first of none.
    func exact(
        before index: Int, advance: ([NetworkState]?, Int) throws -> [NetworkState]
    ) rethrows -> [NetworkState] {
        let known = kept.withLock { kept in
            kept.exact.keys.filter { $0 <= index }.max().map { ($0, kept.exact[$0]) }
        }
        var (place, states) = known ?? (0, nil)
        while place < index || states == nil {
            let behind = try advance(states, place)
            (place, states) = (place + 1, behind)
            kept.withLock { kept in
                if count == 0 { kept.exact = [:] }
                kept.exact[place] = behind
            }
        }
        return states ?? []
    }

    /// The matrices of a whole plan that was kept.
    func plan(_ schemes: TensorSchemes) -> [String: PackedMatrix]? {
        kept.withLock { kept in kept.plans.first { $0.schemes == schemes }?.packed }
    }

    /// Keeps a plan that was encoded to its end, and its way.
    func keep(_ trail: Trail) {
        let bytes = trail.packed.values.reduce(0) { $0 + $1.sizeInBytes }
        kept.withLock { kept in
            if kept.plans.allSatisfy({ $0.schemes != trail.schemes }) {
                kept.plans.append((trail.schemes, trail.packed, bytes))
            }
            var all = kept.plans.reduce(0) { $0 + $1.bytes }
            while all > Self.planBytes { all -= kept.plans.removeFirst().bytes }
            guard count > 0 else { return }
            kept.trails.append(trail)
            kept.trails.removeFirst(max(0, kept.trails.count - count))
        }
    }
}

extension NetworkState {
    /// Bytes of the activations.
    var sizeInBytes: Int { 4 * (encoder.hidden.storage.count + decoder.hidden.storage.count) }
}
