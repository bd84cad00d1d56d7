import Models
import PlanFormat

/// The sensitivity table: every sublayer, alone and by type, under every candidate scheme, the rest in full precision.
public struct Sweep<Family: ModelFamily> {
    /// What measures the cells.
    public let measurer: Measurer<Family>
    /// The schemes of the columns.
    public let candidates: [Scheme]

    /// A sweep over `candidates`.
    public init(_ measurer: Measurer<Family>, candidates: [Scheme]) {
        self.measurer = measurer
        self.candidates = candidates
    }

    /// The cells of a sweep: by type and by sublayer.
    public typealias Cells = (byType: [SensitivityCell], bySublayer: [SensitivityCell])

    private struct Cell {
        let row: String
        let members: [Int]
        let scheme: Scheme
        let isGroup: Bool
    }

    private var cells: [Cell] {
        let layout = measurer.layout
        let groups = layout.groups.map { (name: $0.name, members: $0.members, isGroup: true) }
        let sublayers = layout.sublayers.indices.map {
            (name: layout.sublayers[$0].name.description, members: [$0], isGroup: false)
        }
        return (groups + sublayers).flatMap { row in
            candidates.map { Cell(row: row.name, members: row.members, scheme: $0, isGroup: row.isGroup) }
        }
    }

    /// The assignments that `run` measures, without repetition: a type of one sublayer is that sublayer.
    public var assignments: [Assignment] {
        var seen: Set<Assignment> = []
        return cells.map(assignment).filter { seen.insert($0).inserted }
    }

    private func assignment(_ cell: Cell) -> Assignment {
        var assignment = measurer.fullPrecision
        for member in cell.members { assignment[member] = cell.scheme }
        return assignment
    }

    /// Measures all cells.
    ///
    /// - Parameters:
    ///   - metric: the task's metric of a probe; nil where cells are measured by KL alone.
    ///   - progress: called after each measurement with the number done.
    public func run(metric: ((Family.Net) throws -> Double)?, progress: (Int) -> Void = { _ in }) throws
        -> Cells
    {
        let assignments = assignments
        var measurements: [Assignment: LossMeasurement] = [:]
        var done = 0
        _ = try measurer.losses(of: assignments, around: measurer.fullPrecision) { index, probe, losses in
            measurements[assignments[index]] = LossMeasurement(losses, metric: try metric?(probe))
            done += 1
            progress(done)
        }
        var result: Cells = ([], [])
        for cell in cells {
            guard let measurement = measurements[assignment(cell)] else { continue }
            let bytes = cell.members.reduce(0) { $0 + measurer.layout.sublayers[$1].sizeInBytes(cell.scheme) }
            let measured = SensitivityCell(
                row: cell.row, scheme: cell.scheme, bytes: bytes, measurement: measurement)
            if cell.isGroup { result.byType.append(measured) } else { result.bySublayer.append(measured) }
        }
        return result
    }
}
