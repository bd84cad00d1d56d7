import BitplanTensors
import BitplanTraining
import PlanFormat
import Testing

/// What each recipe makes of the matrices, step by step, as its paper has it.
@Suite struct RecipeTests {
    private func matrix(_ name: String, _ place: Int, _ scheme: String) throws -> TrainedMatrix {
        TrainedMatrix(
            tensor: name, sublayer: try #require(SublayerName(name)), place: place,
            scheme: try #require(Scheme(scheme)), columns: 16)
    }

    private func standard(_ recipe: TrainingRecipe, steps: Int) -> TrainingSettings {
        TrainingSettings(recipe, steps: steps, parameters: 1000)
    }

    @Test func chungReplacesEmbeddingsThenDecodersThenEncoders() throws {
        var settings = standard(.chung, steps: 30)
        settings.recodeEvery = 5
        let matrices = [
            try matrix("Emb", 0, "bcq2"), try matrix("Enc_ee.0", 1, "bcq2"),
            try matrix("Dec_dd.0", 2, "bcq2"),
        ]
        let method = settings.method(matrices)
        let replaced = matrices.map { matrix in
            (0..<30).filter { method.role(of: matrix, at: $0).following == .replacing }
        }
        #expect(replaced[0] == [4, 9, 14, 19, 24, 29])
        #expect(replaced[1] == [19, 24, 29])
        #expect(replaced[2] == [9, 14, 19, 24, 29])
        #expect(matrices.allSatisfy { method.role(of: $0, at: 0).weights == .latent })
    }

    /// Every sublayer is fitted once, in order of execution, and its codes stay; centroids go on.
    @Test(arguments: [3, 7, 40]) func ipqGoesFromTheInputToTheOutput(_ steps: Int) throws {
        let matrices = [
            try matrix("Emb", 0, "pq:b4:k4"), try matrix("FFN.0", 2, "pq:b4:k4"),
            try matrix("FFN.1", 5, "pq:b4:k4"),
        ]
        let method = standard(.ipq, steps: steps).method(matrices)
        var fitted: [Int] = []
        for step in 0..<steps {
            let roles = matrices.map { method.role(of: $0, at: step) }
            #expect(roles[0] == MatrixRole(learnsNumbers: true))
            // What is quantized comes first.
            #expect(roles.drop { $0.weights == .codes }.allSatisfy { $0.weights == .latent })
            for (place, role) in roles.enumerated() {
                #expect(role.learnsWeights == (role.weights == .latent))
                if role.following == .fitting { fitted.append(place) }
            }
        }
        #expect(fitted == [1, 2])
        #expect(matrices.allSatisfy { method.role(of: $0, at: steps).weights == .codes })
    }

    /// With noise before it, iPQ has the second half of the run, and the first sublayer's codes are those of
    /// the weights at its start.
    @Test(arguments: [QuantizationNoise.Kind.exact, .proxy], [4, 9, 40])
    func ipqBehindNoise(_ kind: QuantizationNoise.Kind, _ steps: Int) throws {
        let matrices = [try matrix("Emb", 0, "pq:b4:k4"), try matrix("FFN.0", 2, "pq:b4:k4")]
        var settings = standard(.ipq, steps: steps)
        settings.noise = QuantizationNoise(kind: kind)
        let method = settings.method(matrices)
        let half = steps / 2
        for step in 0..<half {
            for matrix in matrices {
                let role = method.role(of: matrix, at: step)
                #expect(role.weights == .noise(QuantizationNoise(kind: kind)) && role.learnsWeights)
            }
        }
        #expect(method.role(of: matrices[0], at: half - 1).following == .fitting)
        #expect(method.role(of: matrices[0], at: half) == MatrixRole(learnsNumbers: true))
        #expect(method.role(of: matrices[1], at: half).weights == .latent)
        let fitted = (half..<steps).filter { method.role(of: matrices[1], at: $0).following == .fitting }
        #expect(fitted.count == 1)
        #expect(matrices.allSatisfy { method.role(of: $0, at: steps).weights == .codes })
    }

    /// Noise and the phases behind it are each a run of half the length, with rates that rise and fall.
    @Test func ratesOfIPQBehindNoise() {
        var settings = standard(.ipq, steps: 100)
        let alone = (0..<100).map(settings.rateFactor)
        settings.noise = QuantizationNoise()
        let behind = (0..<100).map(settings.rateFactor)
        var half = standard(.ipq, steps: 50)
        half.warmUp = settings.warmUp
        let once = (0..<50).map(half.rateFactor)
        #expect(behind == once + once)
        #expect(alone.firstIndex(of: 1) == behind.firstIndex(of: 1) && behind[49] < 0.01 && alone[49] > 0.5)
    }

    /// The last layer first, inputs a stage before weights; without the three ways all is 1-bit at once.
    @Test func sensimixStages() throws {
        let matrices = [
            try matrix("Attention.0", 1, "index8"), try matrix("FFN.0", 2, "index8"),
            try matrix("FFN.1", 4, "sign"), try matrix("FFN.2", 6, "sign"),
        ]
        var settings = standard(.sensimix, steps: 40)
        func stages(_ matrix: TrainedMatrix) -> [Int?] {
            let method = settings.method(matrices)
            let roles = (0..<40).map { method.role(of: matrix, at: $0) }
            return [roles.firstIndex { $0.quantizesInputs }, roles.firstIndex { $0.weights == .codes }]
        }
        #expect(stages(matrices[3]) == [0, 10])
        #expect(stages(matrices[2]) == [10, 20])
        #expect(stages(matrices[0]) == [0, 0])
        #expect(settings.method(matrices).role(of: matrices[3], at: 0).pull == 1)
        #expect(settings.method(matrices).role(of: matrices[1], at: 0).pull == 0)
        settings.sensimix?.ilf = false
        #expect(stages(matrices[2]) == [0, 10])
        settings.sensimix?.pt = false
        #expect(stages(matrices[2]) == [0, 0])
        settings.sensimix?.abwr = false
        #expect(settings.method(matrices).role(of: matrices[3], at: 0).pull == 0)
    }

    /// Chosen blocks are quantized whole, the others untouched, about as many as the rate says; all of them
    /// at 1.
    @Test(arguments: [0.05, 0.5, 1.0], [QuantizationNoise.Kind.exact, .proxy])
    func noiseTakesWholeBlocks(_ rate: Double, _ kind: QuantizationNoise.Kind) throws {
        let scheme = try #require(Scheme("pq:b8:k4"))
        let latent = Matrix(rows: 90, columns: 36, storage: (0..<90 * 36).map { Float($0 + 1) })
        let quantized = Matrix(rows: 90, columns: 36, storage: latent.storage.map { -$0 })
        let noise = QuantizationNoise(kind: kind, rate: rate)
        func result(_ seed: UInt64) -> Matrix {
            noise.applied(to: latent, quantized: quantized, scheme: scheme, seed: seed)
        }
        let noisy = result(1)
        #expect(noisy == result(1))
        #expect((noisy == result(2)) == (rate == 1))
        var chosen = 0
        for row in 0..<90 {
            for start in stride(from: 0, to: 36, by: 8) {
                let block = start..<min(start + 8, 36)
                let changed = block.filter { noisy[row, $0] != latent[row, $0] }
                #expect(changed.isEmpty || changed.count == block.count)
                chosen += changed.isEmpty ? 0 : 1
                for column in changed {
                    #expect(noisy[row, column] == (kind == .exact ? -latent[row, column] : 0))
                }
            }
        }
        #expect(abs(Double(chosen) / 450 - rate) < 0.08)
    }

    @Test func plansThatARecipeCannotTrain() throws {
        let plain = [try matrix("Attention.0", 0, "bcq2")]
        for recipe in [TrainingRecipe.ipq, .sensimix, .bitnet, .chung] {
            #expect(throws: RecipeError.self) { try standard(recipe, steps: 3).check(plain) }
        }
        for recipe in [TrainingRecipe.scales, .weights, .quantNoise] {
            try standard(recipe, steps: 3).check(plain)
        }
        var settings = standard(.quantNoise, steps: 3)
        settings.noise?.block = 5
        #expect(throws: RecipeError.block(5, tensor: "Attention.0", columns: 16)) {
            try settings.check(plain)
        }
        settings.noise?.block = 8
        try settings.check(plain)
        for rate in [0, -0.1, 1.01, .nan] {
            settings.noise?.rate = rate
            #expect(throws: RecipeError.self) { try settings.check(plain) }
        }
    }
}
