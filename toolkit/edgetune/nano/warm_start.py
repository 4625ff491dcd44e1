"""Initial weights that can already copy: an induction circuit written by hand.

Copying spans is the skill that nano needs and that a small model finds only after millions of
tokens (the two layers of an induction head are of no use without each other: Olsson et al. 2022,
arXiv:2209.11895). Here layer 0 gets heads that look at the previous token, and layer 1 heads that
find where the current token stood before and repeat what followed it; training goes on from there.
It knows the shape of Qwen2, and nothing of data.
"""

import math

import torch
from transformers import Qwen2ForCausalLM

EMBEDDING = 0.2  # standard deviation of the embedding, and the final norm's weight
SHARP = 6.0  # how clearly the previous-token heads prefer the previous token
MATCH = 4.0  # gain of queries and of keys in the matching heads
WRITE = 2.0  # gain of what layer 0 writes
COPY = 16.0  # gain of the copied token
SPACE = 0.5  # length of the vector that a space adds to an embedding
ALIKE = 0.8  # how alike the embeddings of a piece with and without a space are


@torch.no_grad()
def write_induction(model: Qwen2ForCausalLM, seed: int, pairs: list[tuple[int, int]]) -> None:
    """Writes the circuit into layers 0 and 1 of `model`, random otherwise.

    `pairs` are ids of (piece, the same with a space before it): their embeddings differ by one
    common vector, so that matching and copying look through the space.
    """
    generator = torch.Generator().manual_seed(seed)
    config = model.config
    hidden, kv_heads = config.hidden_size, config.num_key_value_heads
    size = hidden // config.num_attention_heads
    shared = config.num_attention_heads // kv_heads  # query heads of one key/value head
    half = size // 2

    def orthogonal(rows: int, columns: int) -> torch.Tensor:
        widest = max(rows, columns)
        square = torch.linalg.qr(torch.randn(widest, widest, generator=generator))[0]
        return square[:rows, :columns]

    embedding = model.model.embed_tokens.weight
    embedding.normal_(0.0, EMBEDDING, generator=generator)
    space = torch.randn(hidden, generator=generator) * EMBEDDING * SPACE
    plain, spaced = (torch.tensor(ids) for ids in zip(*pairs, strict=True))
    embedding[spaced] = embedding[plain] + space + (1 - ALIKE) * embedding[spaced]
    model.model.norm.weight.fill_(EMBEDDING)
    first, second = model.model.layers[0].self_attn, model.model.layers[1].self_attn

    # Layer 0, heads of the first key/value head: logits come from biases alone,
    # cos((distance - 1) * frequency) summed over the fast frequencies, so they peak at distance 1.
    fast = half // 4
    theta = config.rope_parameters["rope_theta"]
    angles = torch.tensor([theta ** (-i / half) for i in range(fast)])
    read, write = orthogonal(size, hidden), orthogonal(hidden, size)
    first.k_proj.weight[:size] = 0.0
    first.k_proj.bias[:size][:fast] = SHARP * torch.cos(angles)
    first.k_proj.bias[:size][half : half + fast] = SHARP * torch.sin(angles)
    first.v_proj.weight[:size] = read
    for head in range(shared):
        rows = slice(head * size, (head + 1) * size)
        first.q_proj.weight[rows] = 0.0
        first.q_proj.bias[rows][:fast] = SHARP
        first.o_proj.weight[:, rows] = write * (WRITE * EMBEDDING / shared)

    # Layer 1, every head: query and key compare, in slow dimensions that rotation leaves in place,
    # the current token with the one before the candidate; the value is the candidate itself.
    slow = [*range(half * 5 // 8, half), *range(half + half * 5 // 8, size)]
    copy = orthogonal(hidden, hidden)
    for kv in range(kv_heads):
        pick = [(kv * len(slow) + i) % size for i in range(len(slow))]
        base = kv * size
        second.k_proj.weight[base : base + size] *= 0.1
        second.k_proj.weight[[base + d for d in slow]] = MATCH * write.T[pick]
        span = copy[base : base + size]
        second.v_proj.weight[base : base + size] = span
        for head in range(kv * shared, (kv + 1) * shared):
            rows = slice(head * size, (head + 1) * size)
            second.q_proj.weight[rows] *= 0.1
            second.q_proj.weight[[head * size + d for d in slow]] = MATCH * read[pick]
            scale = COPY * EMBEDDING / math.sqrt(kv_heads) / shared
            second.o_proj.weight[:, rows] = span.T * scale
