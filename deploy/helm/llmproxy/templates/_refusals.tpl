{{- /* What cannot work, or would lose something, is refused before anything is changed. */ -}}
{{- define "llmproxy.refusals" -}}
{{- $v := .Values -}}
{{- $driver := $v.env.DB_DRIVER | default "sqlite" | toString -}}
{{- $secrets := include "llmproxy.secrets" . | fromJson -}}
{{- $given := or $v.secrets.databaseUrl.existingSecret.name (and $v.secrets.create $v.secrets.data.databaseUrl) -}}
{{- $several := or (gt (int $v.replicaCount) 1) (and $v.autoscaling.enabled (gt (int $v.autoscaling.maxReplicas) 1)) -}}
{{- $bus := $v.env.LLM_PROXY_EVENT_BUS | default "" | toString -}}

{{- range $name := list "MANAGEMENT_TOKEN" "ENCRYPTION_KEY" "ENCRYPTION_KEY_OLD" "DATABASE_URL" "METRICS_TOKEN" "REDIS_URL" "REDIS_CACHE_URL" "REDIS_PASSWORD" "LLM_PROXY_API_KEY" "LANGFUSE_SECRET_KEY" -}}
{{- if hasKey $v.env $name -}}
{{- fail (printf "env.%s: a secret would stand in the release and in the pod's description; name an existing Secret under secrets: (or under extraEnv, by valueFrom)" $name) -}}
{{- end -}}
{{- end -}}

{{- if not (has $driver (list "sqlite" "postgres" "mysql")) -}}
{{- fail (printf "env.DB_DRIVER: expected sqlite, postgres or mysql, got %q" $driver) -}}
{{- end -}}
{{- if and (eq $driver "sqlite") $several -}}
{{- fail "replicaCount, autoscaling.maxReplicas: pods cannot share a file of SQLite; set env.DB_DRIVER to postgres or mysql with a database, or have one replica" -}}
{{- end -}}
{{- if not (hasKey $secrets "MANAGEMENT_TOKEN") -}}
{{- fail "secrets.managementToken.existingSecret.name: the management API needs a token; name a Secret, or set secrets.create and secrets.data.managementToken" -}}
{{- end -}}
{{- if and $v.secrets.encryptionKey.required (not (hasKey $secrets "ENCRYPTION_KEY")) -}}
{{- fail "secrets.encryptionKey: keys of providers would be in the database in clear; name a Secret (openssl rand -base64 32), or set secrets.encryptionKey.required to false" -}}
{{- end -}}
{{- range $name := list "managementToken" "encryptionKey" "databaseUrl" -}}
{{- if and (index $v.secrets.data $name) (not $v.secrets.create) -}}
{{- fail (printf "secrets.data.%s: is given, and secrets.create is false: nothing would be made of it" $name) -}}
{{- end -}}
{{- if and $v.secrets.create (index $v.secrets.data $name) (index $v.secrets $name).existingSecret.name -}}
{{- fail (printf "secrets.%s: is given under secrets.data and as an existing Secret: which of them is meant?" $name) -}}
{{- end -}}
{{- end -}}

{{- if and $v.postgresql.enabled $v.mysql.enabled -}}
{{- fail "postgresql.enabled, mysql.enabled: one database is enough; enable one of them" -}}
{{- end -}}
{{- range $kind, $needs := dict "postgresql" "postgres" "mysql" "mysql" -}}
{{- $server := index $v $kind -}}
{{- if $server.enabled -}}
{{- if ne $driver $needs -}}
{{- fail (printf "%s.enabled: needs env.DB_DRIVER %s, got %s" $kind $needs $driver) -}}
{{- end -}}
{{- if $given -}}
{{- fail (printf "%s.enabled, secrets.databaseUrl: both are given; take the database of this chart, or your own" $kind) -}}
{{- end -}}
{{- if not (or $server.auth.password $server.auth.existingSecret.name) -}}
{{- fail (printf "%s.auth: needs existingSecret.name, or a password" $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq $driver "postgres") (not $v.postgresql.enabled) (not $given) -}}
{{- fail "env.DB_DRIVER is postgres: name a Secret with the URL under secrets.databaseUrl.existingSecret, or enable postgresql" -}}
{{- end -}}
{{- if and (eq $driver "mysql") (not $v.mysql.enabled) (not $given) -}}
{{- fail "env.DB_DRIVER is mysql: name a Secret with the URL under secrets.databaseUrl.existingSecret, or enable mysql" -}}
{{- end -}}
{{- if and (eq $driver "sqlite") $given -}}
{{- fail "secrets.databaseUrl: is given, and env.DB_DRIVER is sqlite; set it to postgres or mysql" -}}
{{- end -}}
{{- with $v.secrets.data.databaseUrl -}}
{{- $scheme := regexFind "^[a-z+]+" . | replace "postgresql" "postgres" | replace "mariadb" "mysql" -}}
{{- if and $v.secrets.create (ne $scheme $driver) -}}
{{- fail (printf "secrets.data.databaseUrl: its scheme does not agree with env.DB_DRIVER (%s)" $driver) -}}
{{- end -}}
{{- end -}}

{{- if not (has $bus (list "" "in-memory" "redis-streams")) -}}
{{- fail (printf "env.LLM_PROXY_EVENT_BUS: expected redis-streams or in-memory, got %q" $bus) -}}
{{- end -}}
{{- if and (eq $bus "redis-streams") (not $v.redis.external.addr) -}}
{{- fail "env.LLM_PROXY_EVENT_BUS is redis-streams: set redis.external.addr to host:port" -}}
{{- end -}}
{{- if and (eq (default "" $v.env.HTTP_CACHE_BACKEND) "redis") (not (or $v.redis.external.addr $v.env.REDIS_CACHE_URL_FILE)) -}}
{{- fail "env.HTTP_CACHE_BACKEND is redis: set redis.external.addr to host:port" -}}
{{- end -}}
{{- with $v.redis.external.addr -}}
{{- if not (regexMatch "^[^:/@ ]+:[0-9]+$" .) -}}
{{- fail (printf "redis.external.addr: expected host:port, got %q" .) -}}
{{- end -}}
{{- end -}}

{{- if $v.dispatcher.enabled -}}
{{- $service := $v.dispatcher.service -}}
{{- if not (has $service (list "file" "stdout" "lunary" "helicone" "langfuse")) -}}
{{- fail (printf "dispatcher.service: expected file, stdout, lunary, helicone or langfuse, got %q" $service) -}}
{{- end -}}
{{- if not (eq $bus "redis-streams") -}}
{{- fail "dispatcher.enabled: events in memory are those of the process that has them; set env.LLM_PROXY_EVENT_BUS to redis-streams" -}}
{{- end -}}
{{- if not $v.redis.external.addr -}}
{{- fail "dispatcher.enabled: set redis.external.addr to host:port" -}}
{{- end -}}
{{- if and (has $service (list "lunary" "helicone" "langfuse")) (not $v.dispatcher.apiKey.existingSecret.name) -}}
{{- fail (printf "dispatcher.apiKey.existingSecret.name: %s needs a key" $service) -}}
{{- end -}}
{{- if and (eq $service "langfuse") (not $v.dispatcher.langfuse.publicKey) -}}
{{- fail "dispatcher.langfuse.publicKey: langfuse needs it beside the secret one" -}}
{{- end -}}
{{- if and (eq $service "file") (gt (int $v.dispatcher.replicaCount) 1) -}}
{{- fail "dispatcher.replicaCount: each pod would have a file with a part of the events; have one, or another service" -}}
{{- end -}}
{{- end -}}

{{- if $v.autoscaling.enabled -}}
{{- if not (or (int $v.autoscaling.targetCPUUtilizationPercentage) (int $v.autoscaling.targetMemoryUtilizationPercentage) (int $v.autoscaling.inFlight.target)) -}}
{{- fail "autoscaling.enabled: needs targetCPUUtilizationPercentage, targetMemoryUtilizationPercentage or inFlight.target" -}}
{{- end -}}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas: is more than maxReplicas" -}}
{{- end -}}
{{- if and (int $v.autoscaling.targetCPUUtilizationPercentage) (not (dig "requests" "cpu" "" $v.resources)) -}}
{{- fail "autoscaling.targetCPUUtilizationPercentage: is a share of resources.requests.cpu, which is not there" -}}
{{- end -}}
{{- if and (int $v.autoscaling.targetMemoryUtilizationPercentage) (not (dig "requests" "memory" "" $v.resources)) -}}
{{- fail "autoscaling.targetMemoryUtilizationPercentage: is a share of resources.requests.memory, which is not there" -}}
{{- end -}}
{{- if and (int $v.autoscaling.inFlight.target) (not $v.metrics.enabled) -}}
{{- fail "autoscaling.inFlight.target: is a metric, and metrics.enabled is false" -}}
{{- end -}}
{{- end -}}

{{- if and $v.podDisruptionBudget.enabled (ne (toString $v.podDisruptionBudget.minAvailable) "") (ne (toString $v.podDisruptionBudget.maxUnavailable) "") (ne (toString $v.podDisruptionBudget.maxUnavailable) "1") -}}
{{- fail "podDisruptionBudget: minAvailable and maxUnavailable are given; Kubernetes takes one of them" -}}
{{- end -}}
{{- if and $v.podDisruptionBudget.enabled (regexMatch "^[0-9]+$" (toString $v.podDisruptionBudget.minAvailable)) (gt (int $v.replicaCount) 1) (not $v.autoscaling.enabled) (ge (int $v.podDisruptionBudget.minAvailable) (int $v.replicaCount)) -}}
{{- fail "podDisruptionBudget.minAvailable: as many as there are: no node could ever be drained" -}}
{{- end -}}
{{- $grace := include "llmproxy.gracePeriod" . | int -}}
{{- if and (int $v.terminationGracePeriodSeconds) (lt (int $v.terminationGracePeriodSeconds) $grace) -}}
{{- fail (printf "terminationGracePeriodSeconds: %d is less than drain.preStop, .delay, .seconds and .margin together (%d): running answers would be cut" (int $v.terminationGracePeriodSeconds) $grace) -}}
{{- end -}}
{{- range $where, $ingress := dict "ingress" $v.ingress "admin.ingress" $v.admin.ingress -}}
{{- if and $ingress.enabled (not $ingress.hosts) -}}
{{- fail (printf "%s.hosts: has none, and %s.enabled is true" $where $where) -}}
{{- end -}}
{{- end -}}
{{- if and $v.admin.ingress.enabled (not $v.admin.ingress.tls) -}}
{{- fail "admin.ingress.tls: sessions of people who manage keys are not for clear text; name a Secret with a certificate" -}}
{{- end -}}
{{- if and (or $v.metrics.serviceMonitor.enabled $v.metrics.prometheusRule.enabled) (not $v.metrics.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled, metrics.prometheusRule.enabled: metrics.enabled is false" -}}
{{- end -}}
{{- if and (not $v.existingConfigMap.name) (not (dig "apis" dict $v.config)) -}}
{{- fail "config.apis: there is none; what would be served?" -}}
{{- end -}}
{{- if not (regexMatch ":[0-9]+$" (toString $v.env.LISTEN_ADDR)) -}}
{{- fail (printf "env.LISTEN_ADDR: expected an address such as :8080, got %q" (toString $v.env.LISTEN_ADDR)) -}}
{{- end -}}
{{- if and $v.management.separate (eq (include "llmproxy.portOf" (toString $v.env.LISTEN_ADDR)) (toString (int $v.management.port))) -}}
{{- fail "management.port: is that of env.LISTEN_ADDR" -}}
{{- end -}}
{{- end }}
