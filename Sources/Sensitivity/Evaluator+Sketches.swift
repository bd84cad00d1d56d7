import BitplanKernels
import BitplanMeasurements
import BitplanModels
import BitplanTensors
import PlanFormat

extension Evaluator {
    /// Sketched losses of one batch, and the rows whose logits are needed: rough positions and anchors.
    private struct SketchedBatch: Sendable {
        var losses: [PredictionSketch.Loss]
        let rows: [Int]
        let outputs: Matrix
    }

    /// The scores of some batches by sketches, corrected where the probe is too far from the reference, or at
    /// the anchors.
    ///
    /// - Parameters:
    ///   - projection: the probe's.
    ///   - outputs: what the probe predicts from, for each of the batches in turn.
    func sketchedScores(
        of probe: Net, _ projection: any LinearOperator, _ sketches: Sketches, batches range: Range<Int>,
        outputs changed: @Sendable (Int) -> Matrix
    ) throws -> [ItemScore] {
        let isShared =
            reference.outputProjection?.isSame(as: projection) ?? false
        let table = isShared ? nil : projection.decoded()
        var scored = try concurrentMap(count: range.count, threads: threads) { place -> SketchedBatch in
            let batch = range.lowerBound + place
            let outputs = changed(place)
            let losses = targets[batch].enumerated().map { position, target in
                sketches.byBatch[batch].loss(
                    at: position, outputs, table: sketches.table, probeTable: table, target: target)
            }
            let rough = losses.indices.filter { losses[$0].isRough }
            let rows = Set(rough).union(
                chosenAnchors(sketches.anchors[batch], losses, isShared: isShared)
            ).sorted()
            return SketchedBatch(losses: losses, rows: rows, outputs: outputs.gathering(rows: rows))
        }
        // Rows of all batches together: products of few rows are slow.
        let places = scored.indices.flatMap { place in
            scored[place].rows.indices.map { (place: place, row: $0) }
        }
        let exact = try concurrentMap(
            count: ceilDivide(places.count, Self.logitRows), threads: threads
        ) { [scored] chunk in
            let chosen = places[
                chunk * Self.logitRows..<min((chunk + 1) * Self.logitRows, places.count)]
            return exactLosses(
                probe, sketches, isShared: isShared,
                chosen.map { place, row in
                    let position = scored[place].rows[row]
                    return Prediction(
                        batch: range.lowerBound + place, position: position,
                        output: scored[place].outputs[row: row],
                        sketched: scored[place].losses[position])
                })
        }.flatMap { $0 }
        var anchors = scored.map { [Double?](repeating: nil, count: $0.losses.count) }
        for (place, exact) in zip(places, exact) {
            let position = scored[place.place].rows[place.row]
            if scored[place.place].losses[position].isRough {
                scored[place.place].losses[position].kl = exact.kl
                scored[place.place].losses[position].crossEntropy = exact.crossEntropy
            } else {
                anchors[place.place][position] = exact.kl
            }
        }
        return scored.indices.flatMap { place in
            scores(of: range.lowerBound + place, scored[place].losses, anchors: anchors[place])
        }
    }

    /// The positions of a batch that are scored by all logits too: as many as its sketches' own variance asks
    /// for.
    ///
    /// A share e by which a position's sketch errs leaves e / sqrt(n) of n anchors' correction. Every 2nd,
    /// 4th, ... 32nd of `all` is taken, whatever the other batches take; where the projection is not shared,
    /// and D is sketched too, every 4th at least.
    private func chosenAnchors(
        _ all: [(place: Int, position: Int)], _ losses: [PredictionSketch.Loss], isShared: Bool
    ) -> [Int] {
        let sketched = losses.filter { !$0.isRough }
        let variance = sketched.reduce(0) { $0 + $1.variance } * Double(sketched.count)
        let nats =
            sketched.reduce(0) { $0 + $1.kl } + Double(losses.count - sketched.count)
            * PredictionSketch.largestKL
        let needed = nats > 0 ? variance / (nats * nats * Self.anchorError * Self.anchorError) : 0
        var step = isShared ? 32 : 4
        while step > 1, needed * Double(step) > Double(Self.anchorCount) { step /= 2 }
        return all.filter { $0.place % step == 0 }.map(\.position)
    }

    /// The scores of a batch's items.
    ///
    /// - Parameter anchors: KL by all logits, at the positions where that was computed for comparison.
    private func scores(
        of batch: Int, _ losses: [PredictionSketch.Loss], anchors: [Double?]
    ) -> [ItemScore] {
        var scores = items(of: batch, losses.map { ($0.kl, $0.crossEntropy) }).map { ItemScore(loss: $0) }
        var position = 0
        for item in scores.indices {
            for _ in 0..<scores[item].loss.kl.tokens {
                let loss = losses[position]
                if !loss.isRough { scores[item].sketchedNats += loss.kl }
                if let exact = anchors[position] {
                    scores[item].anchorNats += exact
                    scores[item].anchorSketchedNats += loss.kl
                    scores[item].anchors += 1
                }
                position += 1
            }
        }
        return scores
    }

    /// A prediction of the probe that is scored by all logits.
    private struct Prediction {
        let batch, position: Int
        /// What the probe predicts from.
        let output: ArraySlice<Float>
        let sketched: PredictionSketch.Loss
    }

    /// What predictions lose by all the probe's logits. The reference's are needed only for anchors where the
    /// projection changed.
    private func exactLosses(
        _ probe: Net, _ sketches: Sketches, isShared: Bool, _ predictions: [Prediction]
    ) -> [(kl: Double, crossEntropy: Double)] {
        func logits(_ network: Net, _ rows: [ArraySlice<Float>]) -> Matrix {
            network.logits(
                Matrix(rows: rows.count, columns: rows.first?.count ?? 0, storage: rows.flatMap { $0 }),
                observing: nil)
        }
        let q = logits(probe, predictions.map(\.output))
        let answers = predictions.map { targets[$0.batch][$0.position] }
        var losses = predictions.indices.map { index in
            let line = q[row: index]
            let logSum = line.withUnsafeBufferPointer { logits in
                logits.baseAddress.map { Double(logSumExp($0, count: logits.count)) } ?? 0
            }
            return sketches.byBatch[predictions[index].batch].loss(
                at: predictions[index].position, meanChange: predictions[index].sketched.meanChange,
                logSum: logSum, answer: answers[index].map { line[line.startIndex + $0] })
        }
        let anchors = isShared ? [] : predictions.indices.filter { !predictions[$0].sketched.isRough }
        if anchors.isEmpty { return losses }
        let p = logits(
            reference, anchors.map { outputs[predictions[$0].batch][row: predictions[$0].position] })
        for (row, index) in anchors.enumerated() {
            losses[index] =
                compare(
                    p.slice(rows: row..<row + 1), q.slice(rows: index..<index + 1),
                    targets: answers[index...index])[0]
        }
        return losses
    }
}
