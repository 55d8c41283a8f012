/* SPDX-License-Identifier: Apache-2.0
 *
 * promptsweep/backend.h -- the C ABI of promptsweep backends, major 1.
 *
 * One C header. C99, C++11 or later; C89 too where <stdint.h> exists.
 * Nothing here allocates, nothing here includes a project header.
 *
 * THREAD TAGS (every function carries one)
 *   [loader]          the host calls it while nothing else runs in this library
 *   [instance-serial] never two such calls at once on one instance; instances are independent
 *   [job-serial]      never two such calls at once on one job; jobs are independent if
 *                     PSW_CAP_CONCURRENT_JOBS, else the host serialises per instance
 *   [thread-safe]     any thread, concurrently with everything, returns within 50 ms,
 *                     never waits for a network, a disk or a GPU
 *   [in-call]         valid only on the calling thread, only until the outer call returns
 *
 * OWNERSHIP in one line: whoever passes memory in keeps it; callees copy what they keep;
 * outputs go into memory the caller supplied. No pointer is ever freed by the other side.
 *
 * VERSIONED STRUCTS start with struct_size, set by whoever allocated them. They are passed
 * by pointer only: never by value, never embedded, never in arrays. A reader uses a field
 * only if PSW_HAS(p, T, field); a missing field means zero. A larger struct_size than the
 * reader knows is normal and never an error.
 *
 * The lines of a requests file and the bodies of records follow sdk/schema/request.schema.json
 * and sdk/schema/response.schema.json, which are part of this ABI.
 */
#ifndef PROMPTSWEEP_BACKEND_H_INCLUDED
#define PROMPTSWEEP_BACKEND_H_INCLUDED

#include <stddef.h>
#include <stdint.h>

#define PSW_ABI_MAJOR 1
#define PSW_ABI_MINOR 0
/* The surface the including code is compiled for. A plugin that wants to load into older
 * hosts lowers it; later members then do not exist for its compiler, and sizeof is honest. */
#ifndef PSW_TARGET_MINOR
#  define PSW_TARGET_MINOR PSW_ABI_MINOR
#endif
#if PSW_TARGET_MINOR > PSW_ABI_MINOR
#  error "PSW_TARGET_MINOR is newer than this header"
#endif

#if defined(_WIN32)
#  define PSW_CALL __cdecl
#  define PSW_EXPORT __declspec(dllexport)
#else
#  define PSW_CALL
#  define PSW_EXPORT __attribute__((visibility("default")))
#endif

/* From C++17 on noexcept is part of the function type: a plugin that could let an exception
 * out does not compile. It changes no calling convention. */
#if defined(__cplusplus) && (__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#  define PSW_NOEXCEPT noexcept
#else
#  define PSW_NOEXCEPT
#endif

#define PSW_FIELD_END(T, f)  (offsetof(T, f) + sizeof(((T *)0)->f))
#define PSW_HAS(p, T, f)     ((size_t)(p)->struct_size >= PSW_FIELD_END(T, f))
#define PSW_HAS_FN(p, T, f)  (PSW_HAS(p, T, f) && (p)->f != 0)

#ifdef __cplusplus
extern "C" {
#endif

/* ---- frozen value types: these two never change, in any major ------------------------- */
typedef struct psw_str { const char *data; uint64_t len; } psw_str; /* UTF-8, no NUL needed */
typedef struct psw_out { char *data; uint64_t cap; uint64_t len; } psw_out;
  /* caller memory; callee writes at most cap bytes and sets len to the bytes NEEDED */

typedef uint64_t psw_job;       /* chosen by the host, never reused within a process run */
#define PSW_NO_JOB ((psw_job)0)

/* ---- status ----------------------------------------------------------------------------- */
/* Fixed-width, never a C enum type. New codes may appear: treat unknown as PSW_E_INTERNAL.  */
typedef int32_t psw_status;
enum {
  PSW_OK = 0,
  PSW_E_INVALID_ARGUMENT = 1,   /* caller broke this contract; a bug, never retried        */
  PSW_E_CONFIG           = 2,   /* user configuration is wrong; message names the key      */
  PSW_E_UNSUPPORTED      = 3,
  PSW_E_NOT_FOUND        = 4,
  PSW_E_STATE            = 5,   /* right call, wrong moment                                */
  PSW_E_AUTH             = 6,
  PSW_E_RATE_LIMITED     = 7,   /* see retry_after_ms                                      */
  PSW_E_UNAVAILABLE      = 8,   /* server down, connection lost                            */
  PSW_E_TIMEOUT          = 9,
  PSW_E_RESOURCE         = 10,  /* out of memory, VRAM, disk, descriptors                  */
  PSW_E_TOO_LARGE        = 11,
  PSW_E_CANCELLED        = 12,
  PSW_E_DATA             = 13,  /* the other end returned nonsense                         */
  PSW_E_INTERNAL         = 14
};
enum { PSW_SCOPE_REQUEST = 1, PSW_SCOPE_JOB = 2, PSW_SCOPE_INSTANCE = 3, PSW_SCOPE_LIBRARY = 4 };
enum { PSW_ERR_RETRYABLE = 1u << 0, PSW_ERR_TRUNCATED = 1u << 1 };

typedef struct psw_error {      /* caller-allocated, always writable, may be NULL           */
  uint32_t struct_size;
  psw_status code;
  int32_t  scope;               /* what is now unusable                                     */
  uint32_t flags;
  int64_t  retry_after_ms;      /* -1: unknown                                              */
  int32_t  provider_code;       /* HTTP status, CUDA error, errno; 0: none                  */
  uint32_t reserved0;
  psw_out  message;             /* for people; no secrets, no prompt text                   */
} psw_error;

/* ---- host services ---------------------------------------------------------------------- */
enum { PSW_LOG_TRACE = 0, PSW_LOG_DEBUG = 1, PSW_LOG_INFO = 2, PSW_LOG_WARN = 3, PSW_LOG_ERROR = 4 };

enum { PSW_MARK_BEGIN = 1, PSW_MARK_END = 2 };

typedef struct psw_host psw_host;             /* opaque, one per instance                    */
typedef struct psw_host_api {
  uint32_t struct_size;
  uint32_t abi_minor;                         /* what the host implements                    */
  psw_host *self;                             /* first argument of every call below          */
  psw_str  name, version;

  /* All [thread-safe], from create() until destroy() returns. The host never calls back
   * into the plugin from inside them. Not async-signal-safe. */
  void       (PSW_CALL *log)(psw_host *h, psw_job job, int32_t level,
                             const psw_str *msg, const psw_str *fields_json) PSW_NOEXCEPT;
  int32_t    (PSW_CALL *should_stop)(psw_host *h, psw_job job) PSW_NOEXCEPT;   /* one load   */
  int32_t    (PSW_CALL *wait_stop)(psw_host *h, psw_job job, uint32_t ms) PSW_NOEXCEPT;
                                              /* interruptible sleep; 1: stop now            */
  void       (PSW_CALL *progress)(psw_host *h, psw_job job, uint64_t done, uint64_t total,
                                  const psw_str *stage) PSW_NOEXCEPT;          /* a hint     */
  void       (PSW_CALL *mark)(psw_host *h, psw_job job, uint64_t request_index, int32_t what) PSW_NOEXCEPT;
                                              /* PSW_MARK_*: what was running when the process
                                                 died = begun and not ended                  */
  psw_status (PSW_CALL *secret_get)(psw_host *h, const psw_str *name, psw_out *out) PSW_NOEXCEPT;
  psw_status (PSW_CALL *param_get)(psw_host *h, const psw_str *key, psw_out *out) PSW_NOEXCEPT;
                                              /* "dir.scratch" "dir.cache" "net.proxy"
                                                 "net.ca_bundle"; "create.purpose": "run", or
                                                 "check" where the instance is only asked who
                                                 it is; else PSW_E_NOT_FOUND                */
  psw_status (PSW_CALL *checkpoint_put)(psw_host *h, psw_job job, const psw_str *token) PSW_NOEXCEPT;
                                              /* <= 64 KiB; durable when it returns PSW_OK   */
  const void *(PSW_CALL *get_service)(psw_host *h, const char *id) PSW_NOEXCEPT; /* "psw.x/1" */
} psw_host_api;

/* ---- results ---------------------------------------------------------------------------- */
/* The typed outcome of one request. OK to FILTERED are answers of the model (its behaviour);
 * PROMPT_TRUNCATED and ERROR_REQUEST are final refusals; the rest are failures of the
 * infrastructure, which the core offers again within its budget. The core derives two more
 * outcomes itself (empty, missing). Unknown values are treated as ERROR_BACKEND. */
enum {
  PSW_OUTCOME_OK               = 1,
  PSW_OUTCOME_TRUNCATED        = 2, /* the token limit ended the answer                     */
  PSW_OUTCOME_FILTERED         = 3, /* a content filter replaced or withheld the answer     */
  PSW_OUTCOME_PROMPT_TRUNCATED = 4, /* the prompt does not fit whole; it was not run        */
  PSW_OUTCOME_ERROR_REQUEST    = 5, /* this row is refused and would be refused again       */
  PSW_OUTCOME_ERROR_BACKEND    = 6,
  PSW_OUTCOME_ERROR_TIMEOUT    = 7,
  PSW_OUTCOME_CANCELLED        = 8, /* cancelled before it finished                         */
  PSW_OUTCOME_EXPIRED          = 9  /* the provider gave the job up                         */
};
#define PSW_INDEX_UNKNOWN UINT64_MAX

typedef struct psw_record {     /* the one terminal record of one request                   */
  uint32_t struct_size;
  int32_t  outcome;
  uint64_t request_index;       /* line in requests_path from 0, or PSW_INDEX_UNKNOWN       */
  psw_str  request_id;           /* the decoded bytes                                        */
  psw_str  body_json;           /* one JSON object, no raw newline: an answer
                                   (response.schema.json), or {"error": "sentence", ...}    */
  psw_status error_code;
  uint32_t flags;
  uint64_t prompt_tokens, completion_tokens;
  int64_t  started_unix_us, finished_unix_us;                 /* 0: not known               */
  uint32_t attempts;            /* times this request may have been sent (and paid); 0 = 1  */
  uint32_t reserved0;
} psw_record;

typedef struct psw_sink {       /* the core's atomic store; [in-call] of fetch()            */
  uint32_t struct_size;
  uint32_t reserved0;
  void    *self;
  /* PSW_OK: the host owns it now. Anything else: the plugin still owns it, must stop
   * emitting, return that status from fetch(), and offer the record again next time. */
  psw_status (PSW_CALL *emit)(void *self, const psw_record *rec, psw_error *err) PSW_NOEXCEPT;
  /* Side files (raw provider output, server logs). name: [A-Za-z0-9._-]{1,100}. Appears in
   * the core's directory only on commit, whole; an uncommitted blob never existed. */
  psw_status (PSW_CALL *blob_open)(void *self, const psw_str *name, uint64_t *blob, psw_error *err) PSW_NOEXCEPT;
  psw_status (PSW_CALL *blob_write)(void *self, uint64_t blob, const void *p, uint64_t n, psw_error *err) PSW_NOEXCEPT;
  psw_status (PSW_CALL *blob_commit)(void *self, uint64_t blob, psw_error *err) PSW_NOEXCEPT;
  void       (PSW_CALL *blob_abort)(void *self, uint64_t blob) PSW_NOEXCEPT;
} psw_sink;

/* ---- jobs --------------------------------------------------------------------------------- */
/* State never moves to a smaller number; >= PSW_JOB_SUCCEEDED is terminal and final.          */
enum {
  PSW_JOB_QUEUED = 1, PSW_JOB_PREPARING = 2, PSW_JOB_RUNNING = 3, PSW_JOB_FINALIZING = 4,
  PSW_JOB_SUCCEEDED = 10,  /* every request has a record, good or bad                         */
  PSW_JOB_FAILED = 11, PSW_JOB_CANCELLED = 12, PSW_JOB_EXPIRED = 13
};
enum { PSW_JOBF_REMOTE_MAY_CONTINUE = 1u << 0 /* cancelled here, provider may still bill */ };

enum {
  PSW_SUBMIT_ATTACH_ONLY = 1u << 0  /* find the job that carries idempotency_key, never create
                                       one: PSW_E_NOT_FOUND proves that it does not exist   */
};

typedef struct psw_submit_args {
  uint32_t struct_size;
  uint32_t flags;               /* PSW_SUBMIT_*                                             */
  psw_job  job;
  psw_str  requests_path;       /* absolute; read-only; unchanged until close()               */
  uint64_t request_count, request_bytes;
  psw_str  requests_sha256;     /* lower-case hex                                             */
  psw_str  idempotency_key;     /* the same for every retry of this work; a remote job that
                                   already carries it is attached to, not created twice     */
  psw_str  resume_token;        /* last checkpoint of a lost incarnation, or empty            */
  int64_t  deadline_unix_ms;    /* 0: none                                                    */
} psw_submit_args;
/* The core guarantees about requests_path: UTF-8, LF, no BOM, one JSON object per line, first
 * key "request_id", ids unique, non-empty, <= 512 bytes decoded. Plugins may rely on it.
 * Every setting stands in the request line and nowhere else. A plugin whose provider takes
 * settings per job lifts them from the lines and refuses a job whose lines differ. A sampling
 * option that the backend cannot honour is refused with PSW_E_UNSUPPORTED, never dropped;
 * members of a line that the plugin does not know are ignored. */

typedef struct psw_job_status {
  uint32_t struct_size;
  int32_t  state;
  uint64_t revision;            /* grows whenever anything below changed                      */
  uint64_t requests_total, requests_done, requests_failed;   /* never shrink                  */
  uint64_t records_ready;       /* finished, not yet accepted by a sink                       */
  uint64_t prompt_tokens, completion_tokens;                 /* never shrink                  */
  int64_t  eta_ms;              /* -1: unknown                                                */
  uint32_t next_poll_ms;        /* a wish                                                     */
  uint32_t flags;
  psw_status failure;           /* for PSW_JOB_FAILED                                         */
  uint32_t reserved0;
  psw_out  stage;               /* caller memory, one line for people                         */
} psw_job_status;

typedef struct psw_fetch_args {
  uint32_t struct_size;
  uint32_t budget_ms;           /* come back by then, with what you have                      */
  psw_job  job;
  uint64_t max_records;
  const psw_sink *sink;
} psw_fetch_args;
typedef struct psw_fetch_result {
  uint32_t struct_size;
  uint32_t more;                /* 1: call again, records are waiting                         */
  uint64_t emitted;
} psw_fetch_result;

/* ---- the plugin ----------------------------------------------------------------------------- */
enum {
  PSW_CAP_CONCURRENT_JOBS = 1u << 0,  /* several jobs at once; they never influence each other */
  PSW_CAP_RESUME          = 1u << 1,  /* honours resume_token, and tells a checkpoint as soon
                                         as a job exists at its provider                      */
  PSW_CAP_PARTIAL_FETCH   = 1u << 2,  /* fetch() before the end yields records                */
  PSW_CAP_REMOTE          = 1u << 3,  /* leaves this machine                                  */
  PSW_CAP_GPU             = 1u << 4,
  PSW_CAP_PROCESS_ONLY    = 1u << 5,  /* its libraries may abort(): never load in-process     */
  PSW_CAP_UNLOADABLE      = 1u << 6,  /* dlclose after deinit() is proven safe                */
  PSW_CAP_SEEDED          = 1u << 7   /* same seed, same bytes                                */
};

typedef struct psw_limits {
  uint32_t struct_size;
  uint32_t max_concurrent_jobs;       /* >= 1                                                 */
  uint64_t max_requests_per_job, max_request_bytes, max_job_bytes;   /* 0: no limit of its own */
  uint64_t preferred_requests_per_job;                               /* 0: no wish          */
  uint32_t min_poll_ms, cancel_bound_ms, create_bound_ms, destroy_bound_ms;
} psw_limits;

typedef struct psw_descriptor {       /* static data, valid while the library is mapped       */
  uint32_t struct_size;
  uint32_t min_host_minor;            /* the host refuses, with a sentence, if it is older    */
  psw_str  id;                        /* "local_ollama", or "org.example.name" for others      */
  psw_str  name, vendor, version, license;
  uint64_t capabilities;
  const psw_limits *limits;
  psw_str  config_schema_json;        /* JSON Schema draft 7 of config_json, with the marks
     "x-changes-answers": true   the option enters the identity of an arm
     "x-changes-numerics": true  it may change answers through rounding; recorded per job
     "x-role": "parallelism" | "offload" | "context"   what a memory fallback may reduce
     "x-role": "threads"         cores an instance keeps busy; 0: all
     "x-role": "model"           the model's id, filled in by the host where it is absent
     "x-env": "NAME"             filled in from this environment variable where it is absent;
                                 never for a secret                                         */
  psw_str  secrets_json;              /* ["FIREWORKS_API_KEY"]: all it may ever ask for       */
} psw_descriptor;

typedef struct psw_backend psw_backend;     /* opaque, owned by the plugin                     */

typedef struct psw_create_args {
  uint32_t struct_size;
  uint32_t flags;
  const psw_host_api *host;                 /* valid until destroy() returns                   */
  psw_str  config_json;                     /* no secret values, only their names              */
} psw_create_args;

typedef struct psw_plugin_api {
  uint32_t struct_size;
  uint32_t abi_minor;                       /* PSW_TARGET_MINOR of the plugin                  */

  /* [thread-safe] No I/O, no thread, no device probe. Callable before init(). */
  const psw_descriptor *(PSW_CALL *describe)(void) PSW_NOEXCEPT;

  /* [loader] Counted: may be called again; only the last deinit() tears down. After it no
   * thread, descriptor, handler, atexit hook or TLS key of this library is left. */
  psw_status (PSW_CALL *init)(const psw_str *library_dir, psw_error *err) PSW_NOEXCEPT;
  void       (PSW_CALL *deinit)(void) PSW_NOEXCEPT;

  /* [thread-safe], may take 1 s. Pure: touches neither network nor device. The message of a
   * PSW_E_CONFIG begins with one JSON pointer: "/n_ctx: 12 is below 32". */
  psw_status (PSW_CALL *validate_config)(const psw_str *config_json, psw_error *err) PSW_NOEXCEPT;

  /* [instance-serial] create may load a model: reports host->progress, obeys should_stop
   * (job PSW_NO_JOB), within create_bound_ms. destroy takes any state, stops everything,
   * joins every thread, within destroy_bound_ms. */
  psw_status (PSW_CALL *create)(const psw_create_args *args, psw_backend **out, psw_error *err) PSW_NOEXCEPT;
  void       (PSW_CALL *destroy)(psw_backend *b) PSW_NOEXCEPT;

  /* [job-serial] Checks and enqueues; returns within 1 s; work happens on plugin threads.
   * On error the job does not exist. */
  psw_status (PSW_CALL *submit)(psw_backend *b, const psw_submit_args *args, psw_error *err) PSW_NOEXCEPT;

  /* [thread-safe] */
  psw_status (PSW_CALL *poll)(psw_backend *b, psw_job job, psw_job_status *out, psw_error *err) PSW_NOEXCEPT;

  /* [job-serial] Delivers each record once. May block on I/O up to budget_ms. Works in every
   * state and after cancel; before the end only with PSW_CAP_PARTIAL_FETCH. */
  psw_status (PSW_CALL *fetch)(psw_backend *b, const psw_fetch_args *args, psw_fetch_result *res, psw_error *err) PSW_NOEXCEPT;

  /* [thread-safe] Idempotent, returns at once; terminal within cancel_bound_ms. */
  psw_status (PSW_CALL *cancel)(psw_backend *b, psw_job job, psw_error *err) PSW_NOEXCEPT;

  /* [job-serial] Forgets a terminal job; PSW_E_STATE if it is not terminal. */
  psw_status (PSW_CALL *close)(psw_backend *b, psw_job job, psw_error *err) PSW_NOEXCEPT;

  /* [thread-safe] b may be NULL for library-wide ones. Static tables, or NULL. */
  const void *(PSW_CALL *get_extension)(psw_backend *b, const char *id) PSW_NOEXCEPT;
} psw_plugin_api;

/* ---- extensions of the plugin -------------------------------------------------------------- */
/* Found by id with get_extension; an id never changes. Every one is optional.                   */

/* What the engine really is. One JSON object of strings and numbers, for example
 * {"engine":"llama.cpp","build":"...","model_sha256":"...","quantisation":"...",
 *  "template_sha256":"...","device":"..."}: two runs with different identities are never mixed. */
#define PSW_EXT_IDENTITY "psw.identity/1"
typedef struct psw_identity_api {
  uint32_t struct_size;
  uint32_t reserved0;
  psw_status (PSW_CALL *get)(psw_backend *b, psw_out *identity_json, psw_error *err) PSW_NOEXCEPT; /* [thread-safe] */
} psw_identity_api;

/* How many prompt tokens the engine sees for one request line, template included. */
#define PSW_EXT_TOKENIZE "psw.tokenize/1"
typedef struct psw_tokenize_api {
  uint32_t struct_size;
  uint32_t reserved0;
  psw_status (PSW_CALL *count)(psw_backend *b, const psw_str *request_json, uint64_t *tokens, psw_error *err) PSW_NOEXCEPT; /* [thread-safe], may take 1 s */
} psw_tokenize_api;

/* What an instance of this configuration would need. No instance is needed to ask. */
#define PSW_EXT_RESOURCES "psw.resources/1"
typedef struct psw_resources {
  uint32_t struct_size;
  uint32_t reserved0;
  uint64_t ram_bytes, vram_bytes;
  psw_out  basis;                           /* caller memory, one line for people             */
} psw_resources;
typedef struct psw_resources_api {
  uint32_t struct_size;
  uint32_t reserved0;
  psw_status (PSW_CALL *estimate)(const psw_str *config_json, psw_resources *out, psw_error *err) PSW_NOEXCEPT; /* [thread-safe], reads files at most */
} psw_resources_api;

/* The only exported symbol. The major is in its name: a library may export several majors,
 * and a host that finds none says so instead of crashing. Does no work. [thread-safe] */
typedef const psw_plugin_api *(PSW_CALL *psw_plugin_v1_fn)(void) PSW_NOEXCEPT;
#define PSW_ENTRY_SYMBOL_V1 "psw_plugin_v1"

#ifdef __cplusplus
}
#endif
#endif
