import BitplanMetrics
import BitplanTensors
import Foundation
import PlanFormat

/// One process of an evaluator: started when it is needed, and again when it fails.
///
/// - Note: belongs to one thread at a time.
final class EvaluatorWorker: @unchecked Sendable {
    private let options: EvaluatorOptions
    /// Which of the workers it is, from 0.
    private let number: Int
    private var child: ChildPipe?
    private var requests = 0
    /// What the first process said; those after it must say the same.
    private(set) var description: EvaluatorDescription?

    init(_ options: EvaluatorOptions, number: Int, description: EvaluatorDescription? = nil) {
        self.options = options
        self.number = number
        self.description = description
    }

    /// What the evaluator says of itself.
    ///
    /// - Throws: `EvaluatorError`.
    func describe() throws(EvaluatorError) -> EvaluatorDescription {
        try retrying("its description") { () throws(Reason) in
            _ = try started()
            guard let description else { throw .failure(EvaluatorFailure("said nothing of itself")) }
            return description
        }
    }

    /// What every item loses under each assignment.
    ///
    /// - Parameter items: indices of the items.
    /// - Throws: `EvaluatorError`.
    func losses(
        of assignments: [TensorSchemes], encoding: EvaluatorRequest.Encoding, items: [Int]
    ) throws(EvaluatorError) -> [[ItemLoss]] {
        let request = EvaluatorRequest(
            request: .losses, encoding: encoding, items: items,
            assignments: assignments.map(EvaluatorRequest.Schemes.init))
        return try retrying(request.name) { () throws(Reason) in
            let child = try started()
            guard let data = description?.data else { return [] }
            let answer = try ask(child, request, EvaluatorLosses.self)
            return try Self.failing { () throws(EvaluatorFailure) in
                try Self.check(answer, assignments.count, items, data)
            }
        }
    }

    /// What the task's metric is made of under an assignment.
    ///
    /// - Throws: `EvaluatorError`.
    func metric(
        of assignment: TensorSchemes, encoding: EvaluatorRequest.Encoding
    ) throws(EvaluatorError) -> MetricItems {
        let request = EvaluatorRequest(
            request: .metric, encoding: encoding, assignments: [EvaluatorRequest.Schemes(assignment)])
        return try retrying(request.name) { () throws(Reason) in
            let child = try started()
            let answer = try ask(child, request, EvaluatorMetrics.self)
            guard let metric = answer.metrics.first, answer.metrics.count == 1,
                metric.kind == description?.data.metric,
                metric.items.count == description?.data.predictions.count
            else {
                throw .failure(
                    EvaluatorFailure(
                        "answered another metric than '\(description?.data.metric?.rawValue ?? "none")' of every item"
                    ))
            }
            return metric.items
        }
    }

    /// Why a request was not answered.
    private enum Reason: Error {
        /// Another try may go better.
        case failure(EvaluatorFailure)
        /// The evaluator says that it cannot.
        case refusal(String)
    }

    /// Runs `body` as often as it may fail; a process that failed is ended.
    private func retrying<Value>(
        _ request: String, _ body: () throws(Reason) -> Value
    ) throws(EvaluatorError) -> Value {
        var tries = 0
        while true {
            do throws(Reason) {
                return try body()
            } catch {
                switch error {
                case .refusal(let why):
                    throw EvaluatorError(options.command, "was asked for \(request) and says: \(why)")
                case .failure(let failure):
                    child = nil
                    tries += 1
                    guard tries > options.retries else { continue }
                    let times = tries == 1 ? "once" : "\(tries) times"
                    throw EvaluatorError(
                        options.command, "was asked for \(request), tried \(times): \(failure)")
                }
            }
        }
    }

    /// The process, started where there is none.
    private func started() throws(Reason) -> ChildPipe {
        if let child { return child }
        let child = try Self.failing { () throws(EvaluatorFailure) in
            try ChildPipe(options.command, environment: ["BITPLAN_WORKER": "\(number)"])
        }
        let line = try line(child, EvaluatorRequest(request: .describe))
        let version = try Self.decode(EvaluatorVersion.self, line).version
        guard version == evaluatorProtocolVersion else {
            throw .refusal(
                "it speaks version \(version) of the protocol, expected \(evaluatorProtocolVersion)")
        }
        let said = try Self.decode(EvaluatorDescription.self, line)
        try Self.failing { () throws(EvaluatorFailure) in try said.check() }
        guard description == nil || description == said else {
            throw .refusal("it is another model, or other data, than when it was first asked")
        }
        description = said
        self.child = child
        return child
    }

    private func ask<Answer: Decodable>(
        _ child: ChildPipe, _ request: EvaluatorRequest, _ type: Answer.Type
    ) throws(Reason) -> Answer { try Self.decode(type, try line(child, request)) }

    /// The line that answers a request.
    private func line(_ child: ChildPipe, _ request: EvaluatorRequest) throws(Reason) -> Data {
        var request = request
        requests += 1
        request.id = requests
        let question: Data
        do { question = try request.line() } catch { throw .refusal("\(error)") }
        let line = try Self.failing { () throws(EvaluatorFailure) in
            try child.answer(question, within: options.timeout)
        }
        let header = try Self.decode(EvaluatorHeader.self, line)
        guard header.id == request.id else {
            throw .failure(
                EvaluatorFailure("answered request \(header.id), expected \(request.id)"))
        }
        if let why = header.error { throw .refusal(why) }
        return line
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ line: Data) throws(Reason) -> Value {
        do {
            return try JSONFile.decode(type, from: line, file: URL(filePath: "answer"))
        } catch {
            throw .failure(EvaluatorFailure("gave a wrong answer, \(error.message)"))
        }
    }

    private static func failing<Value>(
        _ body: () throws(EvaluatorFailure) -> Value
    ) throws(Reason) -> Value {
        do { return try body() } catch { throw .failure(error) }
    }

    /// The losses of an answer, once there is one for every item and none is impossible.
    private static func check(
        _ answer: EvaluatorLosses, _ count: Int, _ items: [Int], _ data: EvaluatorDescription.Data
    ) throws(EvaluatorFailure) -> [[ItemLoss]] {
        guard answer.losses.count == count else {
            throw EvaluatorFailure("answered \(answer.losses.count) assignments, expected \(count)")
        }
        var all: [[ItemLoss]] = []
        for loss in answer.losses {
            let crossEntropy = loss.crossEntropy ?? [Double](repeating: 0, count: items.count)
            for (name, values) in [("kl", loss.kl), ("crossEntropy", crossEntropy)] {
                guard values.count == items.count else {
                    throw EvaluatorFailure(
                        "answered \(values.count) items in '\(name)', expected \(items.count)")
                }
                if let wrong = values.first(where: { !($0 >= 0 && $0.isFinite) }) {
                    throw EvaluatorFailure("answered '\(name)' \(wrong), expected 0 or more nats")
                }
            }
            all.append(
                items.indices.map { place in
                    ItemLoss(
                        kl: TokenLoss(nats: loss.kl[place], tokens: data.predictions[items[place]]),
                        crossEntropy: TokenLoss(
                            nats: crossEntropy[place], tokens: data.targets?[items[place]] ?? 0))
                })
        }
        return all
    }
}
