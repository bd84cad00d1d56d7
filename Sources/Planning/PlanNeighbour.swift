import PlanFormat

/// A plan that differs from another in one sublayer, or one group of tied ones.
struct PlanNeighbour {
    /// The group, as an index into `PlanSpace.groups`.
    let group: Int
    /// What it becomes.
    let scheme: Scheme
    let assignment: Assignment
}

extension PlanSpace {
    /// A plan with another scheme for one group.
    func moved(_ assignment: Assignment, _ group: Int, to scheme: Scheme) -> Assignment {
        var moved = assignment
        for member in groups[group] { moved[member] = scheme }
        return moved
    }

    /// Every group up to `reach` steps up and down its ladder, alone; what budgets say of the plans is not
    /// asked.
    func neighbours(of assignment: Assignment, reach: Int) -> [PlanNeighbour] {
        groups.indices.flatMap { group -> [PlanNeighbour] in
            let (members, ladder) = (groups[group], ladders[group])
            let places: [Int]
            if let place = ladder.firstIndex(of: assignment[members[0]]) {
                places = (1...reach).flatMap { [place - $0, place + $0] }
            } else {
                // Not on the ladder (a preset's scheme): its neighbours in bytes.
                func bytes(_ scheme: Scheme) -> Int {
                    members.reduce(0) { $0 + layout.sublayers[$1].sizeInBytes(scheme) }
                }
                let now = bytes(assignment[members[0]])
                let above = ladder.firstIndex { bytes($0) > now } ?? ladder.count
                places = (1...reach).flatMap { [above - $0, above + $0 - 1] }
            }
            return places.filter(ladder.indices.contains).map { place in
                PlanNeighbour(
                    group: group, scheme: ladder[place],
                    assignment: moved(assignment, group, to: ladder[place]))
            }
        }
    }
}
