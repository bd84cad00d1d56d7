import Models
import PlanFormat
import Tensors

/// Measures every sublayer, alone and by type, under every candidate scheme, the rest in full precision.
///
/// Cells are measured in order of their first sublayer. What lies before it is the same for all of them, so its activations are
/// computed once, kept for this one sublayer, and moved on from there: an encoder cell runs the layers above it, a decoder cell never
/// runs the encoder.
public struct Sweep<Family: ModelFamily> {
    public let encodings: Encodings<Family>
    public let network: Family.Net
    public let evaluator: Evaluator<Family.Net>
    public let candidates: [Scheme]
    /// The task's metric of a probe; nil where cells are measured by KL alone.
    public let metric: ((Family.Net) throws -> Double)?

    /// A row of the table: the sublayers that it changes.
    private struct Row {
        let name: String
        let members: [Int]
        let isGroup: Bool
    }

    /// A sweep over `candidates`.
    public init(
        encodings: Encodings<Family>, network: Family.Net, evaluator: Evaluator<Family.Net>, candidates: [Scheme],
        metric: ((Family.Net) throws -> Double)? = nil
    ) {
        self.encodings = encodings
        self.network = network
        self.evaluator = evaluator
        self.candidates = candidates
        self.metric = metric
    }

    /// The cells of a sweep: by type and by sublayer.
    public typealias Cells = (byType: [SensitivityCell], bySublayer: [SensitivityCell])

    /// The number of cells that `run` measures.
    public var cellCount: Int { rows.count * candidates.count }

    private var rows: [Row] {
        let layout = network.layout
        return layout.groups.map { Row(name: $0.name, members: $0.members, isGroup: true) }
            + layout.sublayers.indices.map {
                Row(name: layout.sublayers[$0].name.description, members: [$0], isGroup: false)
            }
    }

    /// Measures all cells.
    ///
    /// - Parameter progress: called after each cell with the number of cells done.
    public func run(progress: (Int) -> Void = { _ in }) throws -> Cells {
        let layout = network.layout
        let rows = rows
        var cells = [[SensitivityCell]](repeating: [], count: rows.count)
        var states = try evaluator.states(of: network, before: 1)
        var done = 0
        for first in layout.sublayers.indices {
            if first > 1 { states = try evaluator.advance(states, through: first - 1, of: network) }
            for (index, row) in rows.enumerated() where row.members.first == first {
                // A group of one sublayer is that sublayer: its cells are measured once.
                if row.isGroup, row.members.count == 1 { continue }
                for scheme in candidates {
                    cells[index].append(try cell(row, scheme, first, states))
                    done += 1
                    progress(done)
                }
            }
        }
        for (index, row) in rows.enumerated() where row.isGroup && row.members.count == 1 {
            let alone = rows.firstIndex { !$0.isGroup && $0.members == row.members }
            cells[index] = (alone.map { cells[$0] } ?? []).map {
                SensitivityCell(row: row.name, scheme: $0.scheme, bytes: $0.bytes, measurement: $0.measurement)
            }
            done += cells[index].count
            progress(done)
        }
        let pairs = zip(rows, cells)
        return (
            pairs.filter(\.0.isGroup).flatMap(\.1), pairs.filter { !$0.0.isGroup }.flatMap(\.1)
        )
    }

    private func cell(_ row: Row, _ scheme: Scheme, _ first: Int, _ states: [Family.Net.State]) throws -> SensitivityCell {
        let changed = row.members.map { network.layout.sublayers[$0] }
        let probe = try network.replacing(try encodings.dense(changed.map { ($0, scheme) }))
        let losses = try evaluator.losses(of: probe, from: first, states: states)
        return SensitivityCell(
            row: row.name, scheme: scheme, bytes: changed.reduce(0) { $0 + $1.sizeInBytes(scheme) },
            measurement: Measurement(losses, metric: try metric?(probe)))
    }
}
