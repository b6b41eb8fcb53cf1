//! The fields that kustomize's transformers know of themselves. Facts of kustomize 5.8.2, from
//! `api/internal/konfig/builtinpluginconsts`, in a form of our own.
//!
//! A line is a path, then the kinds that have it, as `group:Kind@version`; `*` is any kind. `+` before the path
//! says that the field is made where it is missing. `POD` stands for the place of a pod's specification.

/// Labels of an object and of the pods that it makes.
pub(super) const TEMPLATE_LABELS: &str = "\
+metadata/labels *
+spec/template/metadata/labels ReplicationController@v1 Deployment ReplicaSet DaemonSet apps:StatefulSet batch:Job
+spec/jobTemplate/metadata/labels batch:CronJob
+spec/jobTemplate/spec/template/metadata/labels batch:CronJob";

pub(super) const VOLUME_CLAIM_TEMPLATE_LABELS: &str =
    "+spec/volumeClaimTemplates[]/metadata/labels apps:StatefulSet";

/// What selects pods by their labels.
pub(super) const SELECTOR_LABELS: &str = "\
+spec/selector Service@v1 ReplicationController@v1
+spec/selector/matchLabels Deployment ReplicaSet DaemonSet apps:StatefulSet
POD/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels apps:Deployment apps:StatefulSet
POD/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels apps:Deployment apps:StatefulSet
POD/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/podAffinityTerm/labelSelector/matchLabels apps:Deployment apps:StatefulSet
POD/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/labelSelector/matchLabels apps:Deployment apps:StatefulSet
POD/topologySpreadConstraints/labelSelector/matchLabels apps:Deployment apps:StatefulSet
spec/selector/matchLabels batch:Job policy:PodDisruptionBudget
spec/jobTemplate/spec/selector/matchLabels batch:CronJob
spec/podSelector/matchLabels networking.k8s.io:NetworkPolicy
spec/ingress/from/podSelector/matchLabels networking.k8s.io:NetworkPolicy
spec/egress/to/podSelector/matchLabels networking.k8s.io:NetworkPolicy";

pub(super) const ANNOTATIONS: &str = "\
+metadata/annotations *
+spec/template/metadata/annotations ReplicationController@v1 Deployment ReplicaSet DaemonSet StatefulSet batch:Job
+spec/jobTemplate/metadata/annotations batch:CronJob
+spec/jobTemplate/spec/template/metadata/annotations batch:CronJob";

pub(super) const NAMESPACE: &str = "\
+metadata/name Namespace
+spec/service/namespace apiregistration.k8s.io:APIService
spec/conversion/webhook/clientConfig/service/namespace apiextensions.k8s.io:CustomResourceDefinition";

pub(super) const NAME: &str = "metadata/name *";

pub(super) const REPLICAS: &str = "+spec/replicas Deployment ReplicationController ReplicaSet StatefulSet";

pub(super) const IMAGES: &str = "\
+spec/containers[]/image *
+spec/initContainers[]/image *
+spec/volumes[]/image/reference *
+spec/template/spec/containers[]/image *
+spec/template/spec/initContainers[]/image *
+spec/template/spec/volumes[]/image/reference *
+spec/jobTemplate/spec/template/spec/volumes[]/image/reference *";

/// Where `$(NAME)` stands for a variable.
pub(super) const VARIABLES: &str = "\
POD/containers/args CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/containers/command CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/containers/env/value CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/containers/volumeMounts/mountPath CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/initContainers/args CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/initContainers/command CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/initContainers/env/value CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/initContainers/volumeMounts/mountPath CronJob DaemonSet Deployment Job ReplicaSet StatefulSet Pod
POD/volumes/nfs/server DaemonSet Deployment Job ReplicaSet Pod
spec/jobTemplate/spec/template/volumes/nfs/server CronJob
spec/template/metadata/annotations Deployment
spec/rules/host Ingress
spec/tls/hosts Ingress
spec/tls/secretName Ingress
spec/ports/port Service
spec/ports/targetPort Service
spec/volumeClaimTemplates/spec/nfs/server StatefulSet
spec/nfs/server PersistentVolume
metadata/labels *
metadata/annotations *";

/// Which fields name an object of a kind. A line without a path begins with `=` and says of which kind.
pub(super) const NAME_REFERENCES: &str = r"=Deployment
spec/scaleTargetRef/name HorizontalPodAutoscaler
=ReplicationController
spec/scaleTargetRef/name HorizontalPodAutoscaler
=ReplicaSet
spec/scaleTargetRef/name HorizontalPodAutoscaler
=StatefulSet
spec/scaleTargetRef/name HorizontalPodAutoscaler
=ConfigMap@v1
POD/volumes/configMap/name PODS
POD/containers/env/valueFrom/configMapKeyRef/name PODS
POD/initContainers/env/valueFrom/configMapKeyRef/name PODS
POD/containers/envFrom/configMapRef/name PODS
POD/initContainers/envFrom/configMapRef/name PODS
POD/volumes/projected/sources/configMap/name PODS
spec/configSource/configMap Node
rules/resourceNames Role ClusterRole
metadata/annotations/nginx.ingress.kubernetes.io\/fastcgi-params-configmap Ingress
=Secret@v1
POD/volumes/secret/secretName PODS
POD/containers/env/valueFrom/secretKeyRef/name PODS
POD/initContainers/env/valueFrom/secretKeyRef/name PODS
POD/containers/envFrom/secretRef/name PODS
POD/initContainers/envFrom/secretRef/name PODS
POD/imagePullSecrets/name PODS
POD/volumes/projected/sources/secret/name PODS
spec/tls/secretName Ingress
metadata/annotations/ingress.kubernetes.io\/auth-secret Ingress
metadata/annotations/nginx.ingress.kubernetes.io\/auth-secret Ingress
metadata/annotations/nginx.ingress.kubernetes.io\/auth-tls-secret Ingress
imagePullSecrets/name ServiceAccount
parameters/secretName StorageClass
parameters/adminSecretName StorageClass
parameters/userSecretName StorageClass
parameters/secretRef StorageClass
rules/resourceNames Role ClusterRole
spec/template/spec/containers/env/valueFrom/secretKeyRef/name serving.knative.dev:Service@v1
spec/azureFile/secretName PersistentVolume
=Service@v1
spec/serviceName apps:StatefulSet
spec/rules/http/paths/backend/serviceName Ingress
spec/backend/serviceName Ingress
spec/rules/http/paths/backend/service/name Ingress
spec/defaultBackend/service/name Ingress
spec/service/name apiregistration.k8s.io:APIService
webhooks/clientConfig/service admissionregistration.k8s.io:ValidatingWebhookConfiguration admissionregistration.k8s.io:MutatingWebhookConfiguration
=rbac.authorization.k8s.io:Role
roleRef/name rbac.authorization.k8s.io:RoleBinding
=rbac.authorization.k8s.io:ClusterRole
roleRef/name rbac.authorization.k8s.io:RoleBinding rbac.authorization.k8s.io:ClusterRoleBinding
=ServiceAccount@v1
subjects rbac.authorization.k8s.io:RoleBinding rbac.authorization.k8s.io:ClusterRoleBinding
POD/serviceAccountName Pod StatefulSet Deployment ReplicationController CronJob Job DaemonSet
=PersistentVolumeClaim@v1
POD/volumes/persistentVolumeClaim/claimName Pod StatefulSet Deployment ReplicationController CronJob Job DaemonSet
=PersistentVolume@v1
spec/volumeName PersistentVolumeClaim
rules/resourceNames ClusterRole
=storage.k8s.io:StorageClass@v1
spec/storageClassName PersistentVolume PersistentVolumeClaim
spec/volumeClaimTemplates/spec/storageClassName StatefulSet
=scheduling.k8s.io:PriorityClass@v1
POD/priorityClassName Pod StatefulSet Deployment ReplicationController CronJob Job DaemonSet
=networking.k8s.io/v1:IngressClass@v1
spec/ingressClassName Ingress
=admissionregistration.k8s.io:ValidatingAdmissionPolicy
spec/policyName admissionregistration.k8s.io:ValidatingAdmissionPolicyBinding";

/// The kinds that `PODS` stands for.
pub(super) const PODS: &str = "Pod@v1 PodTemplate Deployment ReplicaSet DaemonSet StatefulSet Job CronJob";

/// Where a kind keeps a pod's specification.
pub(super) fn pod(kind: &str) -> &'static str {
    match kind {
        "Pod" => "spec",
        "PodTemplate" => "template/spec",
        "CronJob" => "spec/jobTemplate/spec/template/spec",
        _ => "spec/template/spec",
    }
}
