#!/usr/bin/python3
"""A clsbench backend in Python: all that a vendor in another language has to write. It needs Debian's python3-grpcio,
python3-protobuf and python3-numpy, and no generated code: classes are built from descriptor sets."""
import hashlib, itertools, json, mmap, os, shutil, signal, sys, threading, time, traceback
from concurrent import futures

import grpc
import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

HERE, POOL = os.path.dirname(os.path.abspath(__file__)), descriptor_pool.DescriptorPool()
for descriptors in ("../../wire/proto/backend.binpb", "plugin.binpb"):
    with open(os.path.join(HERE, descriptors), "rb") as f:
        for file in descriptor_pb2.FileDescriptorSet.FromString(f.read()).file:
            POOL.Add(file)

cls = message_factory.MessageFactory(POOL).GetPrototype
SERVICE = POOL.FindServiceByName("clsbench.backend.v1.BackendService")
NodeVerdict, Partition, Plan, ErrorDetail, Device, Chunk = (
    cls(SERVICE.file.message_types_by_name[m])
    for m in ("NodeVerdict", "Partition", "Plan", "ErrorDetail", "Device", "DownloadResponse"))
Model, Status = (cls(POOL.FindMessageTypeByName("plugin." + m)) for m in ("ModelProto", "Status"))
DTYPES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "s8": np.int8, "u8": np.uint8, "s32": np.int32,
          "u32": np.uint32, "s64": np.int64, "bool": np.bool_}
ONNX = {1: "f32", 2: "u8", 3: "s8", 6: "s32", 7: "s64", 9: "bool", 10: "f16", 11: "f64", 12: "u32"}
CODE = grpc.StatusCode
MIB = 1 << 20  # of chunks, of tensors inside messages, of slots, of steps

class Failure(Exception):  # a gRPC code, a message and what ErrorDetail holds
    def __init__(self, code, text, **detail):
        super().__init__(text)
        self.code, self.detail = code, detail
def require(ok, text, code=CODE.INVALID_ARGUMENT, **detail):
    if not ok:
        raise Failure(code, text, **detail)
def wide(*inputs):  # 16-bit products are summed in f32, and rounded once, at the end
    return (np.asarray(x, np.float32) if getattr(x, "dtype", None) == np.float16 else x for x in inputs)
def gemm(a, x, w, c=0):
    u, v, b = wide(x, w, c)
    y, scale = (u.T if a.get("transA") else u) @ (v.T if a.get("transB") else v), u.dtype.type
    return (y * scale(a.get("alpha", 1)) + b * scale(a.get("beta", 1))).astype(x.dtype)
def matmul(a, x, w):
    u, v = wide(x, w)
    return (u @ v).astype(x.dtype)

OPS = {  # name: (version known, function of attributes and inputs)
    "Add": (14, lambda a, x, y: x + y), "Sub": (14, lambda a, x, y: x - y), "Mul": (14, lambda a, x, y: x * y),
    "Neg": (13, lambda a, x: -x), "Relu": (14, lambda a, x: np.maximum(x, 0)), "Gemm": (13, gemm),
    "MatMul": (13, matmul), "Cast": (24, lambda a, x: x.astype(DTYPES[ONNX[a["to"]]])),
    "Reshape": (24, lambda a, x, s: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(s)])),
    "Transpose": (24, lambda a, x: x.transpose(a.get("perm"))),
}

class Program:
    def __init__(self, session, data):
        try:
            model = Model.FromString(data)
        except Exception as e:
            raise Failure(CODE.INVALID_ARGUMENT, f"the program is no ONNX model: {e}")
        g, meta = model.graph, {e.key: e.value for e in model.metadata_props}
        types = {v.name: v.type.tensor_type for v in [*g.input, *g.output, *g.value_info]}
        self.types = {n: (ONNX.get(t.elem_type), tuple(d.dim_value for d in t.shape.dim)) for n, t in types.items()}
        self.consts = {t.name: self.const(session, t) for t in g.initializer}
        self.state, self.updates = (json.loads(meta.get("clsbench." + k, "[]")) for k in ("state", "updates"))
        self.feeds, self.fetches = [v.name for v in g.input if v.name not in self.state], [v.name for v in g.output]
        self.nodes, known = g.node, {"", *self.consts, *self.state, *self.feeds}
        for n in self.nodes:
            require(known.issuperset(n.input), "an input does not exist before this node", node=n.name, op=n.op_type)
            known.update(n.output)
        require(known.issuperset([*self.fetches, *(v for _, v in self.updates)]), "a fetch or update of no value")

    def const(self, session, t):
        raw = t.raw_data
        if where := {e.key: e.value for e in t.external_data}:  # "region/ID"
            at, size = int(where["offset"]), int(where["length"])
            raw = session.part(int(where["location"].partition("/")[2]), at, size).tobytes()
        require(t.data_type in ONNX, f"const {t.name!r}: data type {t.data_type}", CODE.UNIMPLEMENTED)
        return np.frombuffer(raw, DTYPES[ONNX[t.data_type]]).reshape(t.dims)

    def verdict(self, n):
        version = OPS.get(n.op_type, (0,))[0] if not n.domain else 0
        why = "" if version else f"no op {n.domain or 'ai.onnx'}::{n.op_type}"
        if any(self.types.get(v, "?")[0] is None for v in [*n.input, *n.output]):
            why = why or "an element type that NumPy lacks"
        return NodeVerdict(node=n.name, supported=not why, version=version, why=why)

class Executable:
    def __init__(self, session, program, bindings):
        self.session, self.program, self.rings, used = session, program, {}, []
        self.users = {b.region for b in bindings}
        wanted, written = {*program.feeds, *program.fetches}, {*program.fetches}
        for b in bindings:
            require(b.value in wanted and b.value not in self.rings, f"binding {b.value!r}: unknown, or bound twice")
            dtype, shape = program.types[b.value]
            size = np.dtype(DTYPES[dtype]).itemsize * int(np.prod(shape, dtype=np.int64))
            require(1 <= b.slots <= MIB and b.offset % 64 == b.stride % 64 == 0 and (b.slots == 1 or b.stride >= size),
                    f"binding {b.value!r}: slots, offset or stride")
            session.part(b.region, b.offset, (b.slots - 1) * b.stride + size, transfer=False)
            slots = [session.part(b.region, b.offset + i * b.stride, size) for i in range(b.slots)]
            self.rings[b.value] = [s.view(DTYPES[dtype]).reshape(shape) for s in slots]
            used += [(b.region, b.offset + i * b.stride, size, b.value) for i in range(b.slots)]
        require(wanted == {*self.rings}, f"bindings missing: {wanted - {*self.rings}}")
        used.sort()
        for i, (region, start, size, value) in enumerate(used):
            for _, _, _, v in itertools.takewhile(lambda u: u[:2] < (region, start + size), used[i + 1:]):
                require(not written & {v, value}, f"binding {v!r} overlaps {value!r}, and one of them is written")
        for name in program.state:
            session.declare(name, *program.types[name])
        digest = hashlib.sha256(b"".join(n.SerializeToString(deterministic=True) for n in program.nodes)).hexdigest()
        self.plan = Plan(digest=digest, partitions=[
            Partition(nodes=[n.name], kernel="numpy", algorithm="direct", math="strict") for n in program.nodes])
        self.attrs = [{a.name: list(a.ints) or a.i or a.f for a in n.attribute} for n in program.nodes]

    def step(self, number):
        p, slots = self.program, {v: r[number % len(r)] for v, r in self.rings.items()}
        env = {**p.consts, **self.session.state, **{f: slots[f] for f in p.feeds}}
        for n, attrs in zip(p.nodes, self.attrs):
            env[n.output[0]] = np.asarray(OPS[n.op_type][1](attrs, *(env[i] for i in n.input)))
        for f in p.fetches:
            slots[f][...] = env[f]
        self.session.state.update([(s, np.array(env[v])) for s, v in p.updates])

class Session:
    def __init__(self):
        self.poison, self.regions, self.state, self.executables = None, {}, {}, {}
    def part(self, region, offset, size, transfer=True):
        data, own = self.regions.get(region, (None, False))
        require(data is not None and (transfer or not own), f"region {region} is not mapped")
        require(0 <= offset and 0 <= size <= len(data) - offset, f"{size} bytes at {offset} do not fit region {region}")
        return data[offset:offset + size]
    def declare(self, name, dtype, shape):
        require(dtype in DTYPES, f"state {name!r}: element type {dtype}", CODE.UNIMPLEMENTED)
        have = self.state.setdefault(name, np.zeros(shape, DTYPES[dtype]))
        require(have.dtype == DTYPES[dtype] and have.shape == tuple(shape), f"state {name!r} is of another type")

class Backend:  # one method a call of the service
    def __init__(self):
        self.sessions, self.calls, self.last = {}, {}, 0

    def session(self, number, executable=None):  # by its own number, or that of one of its executables
        s = next((s for n, s in self.sessions.items() if n == number or executable in s.executables), None)
        require(s, "session or executable is not open", CODE.FAILED_PRECONDITION)
        require(s.poison is None, f"undefined after a failed run: {s.poison}", CODE.FAILED_PRECONDITION)
        return s

    def Describe(self, q):
        return dict(name="python", version=np.__version__, suites=["protocol"], protocol_features=["cancel", "chunks"],
                    devices=[Device(name="NumPy", kind="cpu")])
    def Open(self, q):
        require(q.device == 0 and q.math in ("", "strict") and not q.options, "no such device, math mode or option")
        self.last += 1
        self.sessions[self.last] = Session()
        return dict(session=self.last)
    def CloseSession(self, q):
        require(self.sessions.pop(q.session, None), f"session {q.session} is not open", CODE.FAILED_PRECONDITION)

    def Map(self, q):
        s, free = self.session(q.session), os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        require(q.region and q.region not in s.regions and q.bytes > 0, "region: number or size")
        if q.path:
            try:
                with open(q.path, "rb+", buffering=0) as f:
                    st = os.fstat(f.fileno())
                    if (st.st_dev, st.st_ino) != (q.device, q.inode) or st.st_size < q.bytes:
                        raise OSError(f"{q.path} is not the host's file")
                    data = np.frombuffer(mmap.mmap(f.fileno(), q.bytes), np.uint8)
            except OSError as e:
                raise Failure(CODE.FAILED_PRECONDITION, str(e))
        else:
            require(q.bytes <= free, "memory for a region", CODE.RESOURCE_EXHAUSTED, wanted=q.bytes, free=free)
            data = np.zeros(q.bytes, np.uint8)
        s.regions[q.region] = data, q.transfer
    def Unmap(self, q):
        s = self.session(q.session)
        require(q.region in s.regions, f"region {q.region} is not mapped")
        bound = any(q.region in e.users for e in s.executables.values())
        require(not bound, f"region {q.region} is bound", CODE.FAILED_PRECONDITION)
        del s.regions[q.region]

    def Upload(self, stream):
        for q in stream:
            part = self.session(q.session).part(q.region, q.offset, len(q.data))
            part[:] = np.frombuffer(q.data, np.uint8)

    def Download(self, q):
        chunks = [(r, at) for r in q.ranges for at in range(r.offset, r.offset + r.bytes, MIB)]
        parts = [self.session(q.session).part(r.region, at, min(MIB, r.offset + r.bytes - at)) for r, at in chunks]
        return (Chunk(region=r.region, offset=at, data=part.tobytes()) for (r, at), part in zip(chunks, parts))
    def Check(self, q):
        p = Program(self.session(q.session), q.program)
        return dict(verdicts=[p.verdict(n) for n in p.nodes])

    def Compile(self, q):
        s, begin = self.session(q.session), time.monotonic_ns()
        p = Program(s, q.program)
        for n, v in ((n, p.verdict(n)) for n in p.nodes):
            require(v.supported, v.why, CODE.UNIMPLEMENTED, node=n.name, op=n.op_type)
        self.last += 1
        e = s.executables[self.last] = Executable(s, p, q.bindings)
        e.plan.compile_nanos = time.monotonic_ns() - begin
        return dict(executable=self.last, plan=e.plan)
    def CloseExecutable(self, q):
        del self.session(None, q.executable).executables[q.executable]

    def Run(self, q):
        s = self.session(None, q.executable)
        require(q.first >= 0 and 0 <= q.steps <= MIB and len(q.arrival) in (0, q.steps), "run: steps or arrivals")
        out, begin, stop = dict(start=[], end=[], queue=[]), time.monotonic_ns(), self.calls[q.call]
        try:
            for i in range(q.steps):
                due = begin + q.arrival[i] if q.arrival else time.monotonic_ns()
                if stop.wait(max(0, due - time.monotonic_ns()) / 1e9):
                    return {**out, "cancelled": True}
                start = time.monotonic_ns()
                s.executables[q.executable].step(q.first + i)
                for column, value in (("start", start), ("end", time.monotonic_ns()), ("queue", start - due)):
                    out[column].append(value)
        except Exception as err:
            s.poison = err
            raise
        return out

    def tensors(self, q):  # each with its memory: a part of a region, or fresh
        s, budget = self.session(q.session), MIB
        for t in q.tensors:
            require(t.dtype in DTYPES and min(t.dims, default=0) >= 0, f"tensor {t.name!r}: type")
            size = np.dtype(DTYPES[t.dtype]).itemsize * int(np.prod(t.dims, dtype=np.int64))
            budget -= 0 if t.region else size
            require(budget >= 0, "large tensors go by region")
            yield s, t, s.part(t.region, t.offset, size) if t.region else np.empty(size, np.uint8)

    def Read(self, q):
        inline = []
        for s, t, memory in self.tensors(q):
            require(t.name in s.state, f"no state {t.name!r}")
            s.declare(t.name, t.dtype, t.dims)
            memory[:] = s.state[t.name].reshape(-1).view(np.uint8)
            inline += [] if t.region else [memory.tobytes()]
        return dict(data=inline)

    def Write(self, q):
        data = iter(q.data)
        for s, t, memory in self.tensors(q):
            raw = memory.tobytes() if t.region else next(data, b"")
            require(len(raw) == memory.nbytes, f"tensor {t.name!r}: wrong size")
            s.declare(t.name, t.dtype, t.dims)
            s.state[t.name] = np.frombuffer(raw, DTYPES[t.dtype]).reshape(t.dims)
    def Stats(self, q):
        return dict(state_bytes=sum(a.nbytes for a in self.session(q.session).state.values()))
    def Cancel(self, q):
        self.calls.get(q.target, threading.Event()).set()

def handler(backend, device, method):  # serves a method on the device's thread, cancellable, with typed errors
    function, request, response = getattr(backend, method.name), cls(method.input_type), cls(method.output_type)
    aside = method.name in ("Cancel", "Upload", "Download")  # what must not wait for a run
    def answer(q, context):
        call = getattr(q, "call", 0)
        backend.calls[call] = threading.Event()
        try:
            out = function(q) if aside else device.submit(function, q).result()
            return out if method.name == "Download" else response(**(out or {}))
        except Exception as err:
            if not isinstance(err, Failure):
                traceback.print_exc()
                err = Failure(CODE.INTERNAL, f"{type(err).__name__}: {err}")
            status = Status(code=err.code.value[0], message=str(err))
            status.details.add(type_url="type.googleapis.com/clsbench.backend.v1.ErrorDetail",
                               value=ErrorDetail(**err.detail).SerializeToString())
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(err.code, str(err))
        finally:
            del backend.calls[call]
    kinds = {"Upload": grpc.stream_unary_rpc_method_handler, "Download": grpc.unary_stream_rpc_method_handler}
    kind = kinds.get(method.name, grpc.unary_unary_rpc_method_handler)
    return kind(answer, request.FromString, response.SerializeToString)

def main():
    if os.environ.get("CLSBENCH_PLUGIN") != "clsbench.backend":
        sys.exit("This is a clsbench plugin, which clsbench starts.")
    socket = os.path.join(os.environ["PLUGIN_UNIX_SOCKET_DIR"], "socket")
    def end(*_):  # the host has died: nobody else tidies up, and a run under way is not waited for
        shutil.rmtree(os.environ.get("CLSBENCH_RUN_DIR", socket), ignore_errors=True)
        os._exit(1)
    signal.signal(signal.SIGTERM, end)
    life = int(os.environ["CLSBENCH_LIFE_PIPE"])
    threading.Thread(target=lambda: os.read(life, 1) or end(), daemon=True).start()
    limits = [(f"grpc.max_{way}_message_length", 256 * MIB) for way in ("send", "receive")]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=limits)
    backend, device, over = Backend(), futures.ThreadPoolExecutor(1), threading.Event()
    methods = {SERVICE.full_name: {m.name: handler(backend, device, m) for m in SERVICE.methods}}
    raw = lambda reply: grpc.unary_unary_rpc_method_handler(lambda q, context: reply())
    methods["grpc.health.v1.Health"] = {"Check": raw(lambda: b"\x08\x01")}  # SERVING
    methods["plugin.GRPCController"] = {"Shutdown": raw(lambda: over.set() or b"")}
    for service, handlers in methods.items():
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port("unix:" + socket)
    server.start()
    print(f"1|1|unix|{socket}|grpc", flush=True)
    os.dup2(2, 1)  # from now on standard output is the log
    over.wait()
    server.stop(0.1).wait()
    os._exit(0)

main()
