// Runs ONNX models in ONNX Runtime: node run.js MODULES FOLDER. FOLDER has for
// each NAME.onnx its one input as NAME.in, little-endian bytes; the answer of the
// first output goes to NAME.out. MODULES is where npm installed onnxruntime-node.
const fs = require('fs')
const path = require('path')

const [modules, folder] = process.argv.slice(2)
const ort = require(require.resolve('onnxruntime-node', { paths: [path.resolve(modules)] }))
const arrays = { float32: Float32Array, uint8: Uint8Array }

// Without x64quantprecision sums of u8 by s8 products saturate at 16 bits on
// processors without VNNI (ONNX Runtime, "Quantize ONNX models").
const options = { intraOpNumThreads: 2, extra: { session: { x64quantprecision: '1' } } }

async function run(name) {
  const session = await ort.InferenceSession.create(path.join(folder, name + '.onnx'), options)
  const input = session.inputMetadata[0]
  const bytes = fs.readFileSync(path.join(folder, name + '.in'))
  const data = new arrays[input.type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
  const answer = await session.run({ [input.name]: new ort.Tensor(input.type, data, input.shape) })
  const logits = answer[session.outputNames[0]]
  if (logits.type !== 'float32') throw new Error(`${name}: the answer is ${logits.type}`)
  fs.writeFileSync(path.join(folder, name + '.out'), Buffer.from(logits.data.buffer, logits.data.byteOffset, logits.data.byteLength))
  await session.release()
}

async function main() {
  console.log('ONNX Runtime', ort.env.versions.node)
  for (const file of fs.readdirSync(folder).sort()) {
    if (!file.endsWith('.onnx')) continue
    try {
      await run(file.slice(0, -'.onnx'.length))
    } catch (e) {
      console.error(`${file}: ${e.message}`)
      process.exitCode = 1
    }
  }
}
main()
