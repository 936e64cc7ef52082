# Loupe on the CPU, for a server or a machine without Python.
#   docker build -t loupe .
#   docker run --rm -p 7860:7860 -v loupe:/data loupe              yours alone: publish the port on 127.0.0.1 only
#   docker run --rm -p 7860:7860 -v loupe:/data loupe --public     for strangers: no typed paths, limits, all goes in a day
# Your own data: add -v /path/to/data:/data/sets:ro and type /data/sets/... in the app.
FROM python:3.12-slim

# What OpenCV's wheel expects of the system.
COPY packages.txt /tmp/packages.txt
RUN apt-get update \
    && xargs -a /tmp/packages.txt apt-get install -y --no-install-recommends \
    && rm -rf /var/lib/apt/lists/* /tmp/packages.txt

RUN useradd --create-home --uid 1000 loupe && mkdir /data && chown loupe:loupe /data
WORKDIR /app

# torch first, so that the requirements find it there. Its build without CUDA is a tenth of the size: give the package
# index that has it (PyTorch's page "Get started" names it) with --build-arg TORCH_INDEX=...
ARG TORCH_INDEX=""
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY app.py LICENSE README.md ./
COPY models models
COPY dashboard dashboard

USER loupe
ENV LOUPE_STORE=/data/store LOUPE_CACHE=/data/cache PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 7860
HEALTHCHECK --start-period=5m CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/config', timeout=5)"]
ENTRYPOINT ["python", "app.py", "--host", "0.0.0.0", "--port", "7860", "--no-browser"]
