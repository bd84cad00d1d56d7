import PlanFormat

/// The cells of a sweep: by type and by sublayer.
package typealias SweepCells = (byType: [SensitivityCell], bySublayer: [SensitivityCell])

/// The sensitivity table: every sublayer, alone and by type, under every candidate scheme, the rest in full
/// precision.
package struct Sweep<Source: CellMeasurer> {
    /// What measures the cells.
    package let measurer: Source
    /// The schemes of the columns.
    package let candidates: [Scheme]
    /// Share of a plan's loss that wrong choices may cost for the sake of fewer items a cell; nil measures
    /// every cell on all items.
    package let precision: Double?
    /// The schemes under which types and stacks are measured too.
    package let groupCandidates: [Scheme]

    /// A sweep over `candidates`.
    package init(
        _ measurer: Source, candidates: [Scheme], precision: Double? = nil,
        groupCandidates: [Scheme]? = nil
    ) {
        self.measurer = measurer
        self.candidates = candidates
        self.precision = precision
        self.groupCandidates = groupCandidates ?? candidates
    }

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
            layout.sublayers[row.members[0]].options(row.isGroup ? groupCandidates : candidates).map {
                Cell(row: row.name, members: row.members, scheme: $0, isGroup: row.isGroup)
            }
        }
    }

    /// The assignments that `run` measures, without repetition: a type of one sublayer is that sublayer.
    package var assignments: [Assignment] {
        measurer.layout.sweepAssignments(candidates, groupCandidates: groupCandidates)
    }

    private func assignment(_ cell: Cell) -> Assignment {
        var assignment = measurer.fullPrecision
        for member in cell.members { assignment[member] = cell.scheme }
        return assignment
    }

    private func bytes(_ cell: Cell) -> Int {
        cell.members.reduce(0) { $0 + measurer.layout.sublayers[$1].sizeInBytes(cell.scheme) }
    }

    /// Measures all cells.
    ///
    /// - Parameters:
    ///   - metric: the task's metric of an assignment.
    ///   - metricCells: how many cells, those of largest KL first, it is measured of.
    ///   - progress: called after each measurement with the work that was done so far, and at most will be:
    ///     items times the weights that they pass through, so that it grows as time does.
    package func run(
        metric: (Assignment) throws -> Double = { _ in 0 }, metricCells: Int = 0,
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> SweepCells {
        let assignments = assignments
        var rounds = CellRounds(measurer, assignments, precision: precision)
        let places = Dictionary(
            cells.map { (assignment($0), $0) }, uniquingKeysWith: { $0.isGroup ? $1 : $0 })
        while let batches = rounds.next {
            try rounds.measure(batches, progress: progress)
            rounds.stop { index in
                places[assignments[index]].map { ($0.isGroup ? nil : $0.members.first, bytes($0)) }
                    ?? (nil, 0)
            }
        }
        var measurements: [Assignment: LossMeasurement] = [:]
        for (assignment, measurement) in zip(assignments, try rounds.measurements()) {
            measurements[assignment] = measurement
        }
        let byLoss = assignments.indices.sorted {
            let (left, right) = (assignments[$0], assignments[$1])
            let losses = (measurements[left]?.klNats ?? 0, measurements[right]?.klNats ?? 0)
            return (-losses.0, $0) < (-losses.1, $1)
        }
        for index in byLoss.prefix(metricCells) {
            let assignment = assignments[index]
            measurements[assignment]?.metric = try metric(assignment)
        }
        var result: SweepCells = ([], [])
        for cell in cells {
            guard let measurement = measurements[assignment(cell)] else { continue }
            let measured = SensitivityCell(
                row: cell.row, scheme: cell.scheme, bytes: bytes(cell), measurement: measurement)
            if cell.isGroup { result.byType.append(measured) } else { result.bySublayer.append(measured) }
        }
        return result
    }

    /// Measures a part of the cells on all items, into the store: a sweep with the parts' stores merged finds
    /// them all.
    ///
    /// - Parameters:
    ///   - metric: called with every cell of the part once its losses are known.
    ///   - progress: as of `run`.
    /// - Returns: how many cells the part has.
    package func measure(
        _ shard: Shard, metric: (Assignment) throws -> Void = { _ in },
        progress: (Int, Int) -> Void = { _, _ in }
    ) throws -> Int {
        let all = assignments
        let part = shard.share(of: all.map(measurer.work)).map { all[$0] }
        var rounds = CellRounds(measurer, part, precision: nil)
        while let batches = rounds.next { try rounds.measure(batches, progress: progress) }
        for assignment in part { try metric(assignment) }
        return part.count
    }
}

extension ModelLayout {
    /// The assignments that a sweep of the model measures: types and stacks under `groupCandidates`, then
    /// sublayers under `candidates`, without repetition.
    package func sweepAssignments(_ candidates: [Scheme], groupCandidates: [Scheme]) -> [Assignment] {
        var seen: Set<Assignment> = []
        let rows =
            groups.map { ($0.members, groupCandidates) } + sublayers.indices.map { ([$0], candidates) }
        return rows.flatMap { members, candidates in
            sublayers[members[0]].options(candidates).map { scheme in
                sublayers.indices.map { members.contains($0) ? scheme : .fp32 }
            }
        }.filter { seen.insert($0).inserted }
    }
}
